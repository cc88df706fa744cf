"""The worker behaves as its OpenAPI document says, whatever it is sent."""

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings

from services.worker.tests.estimators import as_skops, classifier
from worker.app import create_app
from worker.settings import WorkerSettings

folder = tempfile.TemporaryDirectory()  # it is removed with this module, at the end
estimator = as_skops(Path(folder.name), classifier())
app = create_app(WorkerSettings(engine="fake", warmup_passes=False, drain_seconds=0, **estimator))
schema = schemathesis.openapi.from_dict(app.openapi())
schema.app = app  # its lifespan starts with the first request


@schema.parametrize()
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_500_and_no_breach_of_the_document(case: "schemathesis.Case[Any]") -> None:
    """Valid and invalid requests of each route get a documented status with a body that fits its schema."""
    case.call_and_validate()
