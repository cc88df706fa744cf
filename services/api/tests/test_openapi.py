"""Generated calls find no server error, and no answer that the OpenAPI document does not announce."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from api.app import create_app
from api.settings import ApiSettings
from services.api.tests.conftest import Api
from services.api.tests.helpers.chat_standin import MODEL as CHAT_MODEL
from services.api.tests.helpers.chats import PATH
from stack import EmbeddedStack
from tests.harness.gunicorn import Gunicorn

document = create_app(ApiSettings(chat_url="http://127.0.0.1:9", chat_model=CHAT_MODEL)).openapi()
# Not by `include`, which filters nothing of a schema that is made from a dictionary.
chats = schemathesis.openapi.from_dict({**document, "paths": {PATH: document["paths"][PATH]}})
schema = schemathesis.openapi.from_dict(create_app(ApiSettings()).openapi()).include(path_regex="^/v1/")


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_500_and_no_breach_of_the_document(case: schemathesis.Case[Any], stack: EmbeddedStack) -> None:
    """Valid and invalid requests of each route get a documented status with a body that fits its schema."""
    case.call_and_validate(base_url=stack.url("api"))


@pytest.fixture
def chatting_api(api: Api) -> Gunicorn:
    """One for all examples."""
    return api()


@chats.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_chats_are_documented_too(case: schemathesis.Case[Any], chatting_api: Gunicorn) -> None:
    """The same holds for chats, half of which name the right model."""
    if isinstance(case.body, dict) and len(str(case.body)) % 2:
        case.body["model"] = CHAT_MODEL
    case.call_and_validate(base_url=f"http://127.0.0.1:{chatting_api.port}")
