"""Generated calls find no server error, and no answer that the OpenAPI document does not announce."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings

from api.app import create_app
from api.settings import ApiSettings
from stack import EmbeddedStack

schema = schemathesis.openapi.from_dict(create_app(ApiSettings()).openapi()).include(path_regex="^/v1/")


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_500_and_no_breach_of_the_document(case: schemathesis.Case[Any], stack: EmbeddedStack) -> None:
    """Valid and invalid requests of each route get a documented status with a body that fits its schema."""
    case.call_and_validate(base_url=stack.url("api"))
