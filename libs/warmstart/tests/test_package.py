"""The library as others install it: what is in it, what it needs, and what it does without."""

import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1]
# What Windows has not, and what the extra `gunicorn` installs.
ABSENT = ("fcntl", "gunicorn", "httptools", "uvloop", "uvicorn_worker", "fastapi_offline")
SERVE = """
import asyncio, os, re, signal, sys, urllib.request
for name in {absent!r}:
    sys.modules[name] = None
del signal.SIGURG, os.O_NONBLOCK
readme = open({readme!r}).read()
exec(re.search(r"```python\\n(.*?)```", readme, re.DOTALL)[1])

import uvicorn
server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False))

def ask():
    port = server.servers[0].sockets[0].getsockname()[1]
    paths = ("/answer", "/readyz", "/metrics")
    return [urllib.request.urlopen(f"http://127.0.0.1:{{port}}{{path}}", timeout=10).status for path in paths]

async def main():
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(await asyncio.to_thread(ask))
    server.should_exit = True
    await serving

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, without a network; not where only the tests' own packages are, as in make test-python."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(LIBRARY, source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "tests"))
    build = f"import setuptools.build_meta as b; b.build_sdist({str(folder)!r}); b.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=120)
    [sdist] = folder.glob("*.tar.gz")
    [built] = folder.glob("*.whl")
    assert sdist.name == "warmstart-0.2.0.tar.gz"
    return built


def test_the_wheel_holds_every_module_and_the_mark_of_types(wheel: Path) -> None:
    """Each file of the source is in the wheel, `py.typed` with them."""
    source = LIBRARY / "src"
    files = {str(file.relative_to(source)) for file in source.rglob("warmstart/**/*.py")} | {"warmstart/py.typed"}
    assert files == {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_the_core_needs_little(wheel: Path) -> None:
    """FastAPI with starlette, pydantic-settings and prometheus-client; servers are in an extra."""
    metadata = message_from_bytes(zipfile.ZipFile(wheel).read("warmstart-0.2.0.dist-info/METADATA"))
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    names = {re.split(r"[^a-z-]", each)[0] for each in needed}
    assert names == {"fastapi", "prometheus-client", "pydantic-settings", "starlette"}
    assert metadata.get_all("Provides-Extra") == ["gunicorn", "traces", "docs", "azure", "aws", "gcp"]


def test_the_changelog_begins_with_this_version() -> None:
    """The version of pyproject.toml is described."""
    version = re.search(r'^version = "(.*)"', (LIBRARY / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert re.findall(r"^## (.*)", (LIBRARY / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version[1]


def test_plain_uvicorn_needs_nothing_of_the_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's application serves under uvicorn, with a secret's file, where all that Windows lacks is missing."""
    (tmp_path / "headers").write_text("authorization=x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS_FILE", str(tmp_path / "headers"))
    code = SERVE.format(absent=ABSENT, readme=str(LIBRARY / "README.md"))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "[200, 200, 200]\n", run.stderr[-2000:]
