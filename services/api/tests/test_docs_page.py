"""`/docs` and `/redoc` of both services work without the internet."""

import re
from urllib.parse import urlsplit

import httpx2
import pytest

from stack import EmbeddedStack
from stack.interface import Part


@pytest.mark.parametrize("part", ["api", "worker"])
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_names_no_other_host(stack: EmbeddedStack, part: Part, page: str) -> None:
    """Whatever the page loads, it loads from the service itself, which has it."""
    with httpx2.Client(base_url=stack.url(part), trust_env=False) as client:
        html = client.get(page).text
        named = re.findall(r"""(?:src|href|url|spec-url)['"]?\s*[=:]\s*['"]([^'"]*)['"]""", html)
        assert len(named) >= 3
        assert not [each for each in named if urlsplit(each).netloc]
        assert not re.findall(r"https?://", html)
        assert [client.get(each).status_code for each in named] == [200] * len(named)
        assert client.get("/docs-assets/../../etc/passwd").status_code == 404
        assert client.get("/docs-assets/__init__.py").status_code == 404
