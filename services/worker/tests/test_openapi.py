"""The worker behaves as its OpenAPI document says, whatever it is sent."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from warmstart.http.probes import is_probe
from worker.app import create_app
from worker.settings import WorkerSettings

# It calls a 400 for valid input a breach; vocabulary size and MAX_TEXT_CHARACTERS can't be in the schema.
BESIDE: list[Any] = [positive_data_acceptance]
# A probe answers whatever its query holds: refusing a question about health would look like bad health.
BESIDE_PROBES = [*BESIDE, negative_data_rejection]

app = create_app(WorkerSettings(engine="fake", warmup_passes=False, drain_seconds=0))
schema = schemathesis.openapi.from_dict(app.openapi())
schema.app = app  # its lifespan starts with the first request


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_500_and_no_breach_of_the_document(case: "schemathesis.Case[Any]") -> None:
    """Valid and invalid requests of each route get a documented status with a body that fits its schema."""
    case.call_and_validate(excluded_checks=BESIDE_PROBES if is_probe(case.path) else BESIDE)
