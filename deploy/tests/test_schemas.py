"""The manifests fit their platforms' schemas, and the schemas refuse what the platforms refuse."""

from typing import Any

import jsonschema
import pytest

from deploy.tests.changes import Change, at
from deploy.tests.manifests import AZURE, CLOUD_RUN, paths, read
from deploy.tests.schemas import check

AZURE_API, AZURE_JOB = f"{AZURE}/api.yaml", f"{AZURE}/migrate.yaml"
API, JOB = f"{CLOUD_RUN}/api.yaml", f"{CLOUD_RUN}/migrate.yaml"
TEMPLATE = "properties/template"
PROBE = f"{TEMPLATE}/containers/0/probes/0"
CONTAINER = "spec/template/spec/containers/0"
EXEC: Any = {"exec": {"command": ["true"]}, "type": "Startup"}


@pytest.mark.parametrize("path", paths())
def test_a_manifest_fits_its_schema(path: str) -> None:
    """Each of both platforms, the migration too."""
    check(read(path))


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (AZURE_API, at(f"{PROBE}/failureThreshold", 11), "11 is greater than the maximum of 10"),
        (AZURE_API, at(f"{PROBE}/periodSeconds", 241), "241 is greater than the maximum of 240"),
        (AZURE_API, at(f"{PROBE}/initialDelaySeconds", 61), "61 is greater than the maximum of 60"),
        (AZURE_API, at(f"{PROBE}/timeoutSeconds", 0), "0 is less than the minimum of 1"),
        (AZURE_API, at(f"{PROBE}/httpGet/port", "http"), "'http' is not of type 'integer'"),
        (AZURE_API, at(PROBE, EXEC), "'exec' was unexpected"),
        (AZURE_API, at(f"{PROBE}/type", "Ready"), "'Ready' is not one of"),
        (AZURE_API, at(f"{TEMPLATE}/replicas", 2), "'replicas' was unexpected"),
        (AZURE_API, at(f"{TEMPLATE}/containers/0/resources/cpu", "1"), "'1' is not of type 'number'"),
        (AZURE_API, at(f"{TEMPLATE}/scale/maxReplicas", "4"), "'4' is not of type 'integer'"),
        (AZURE_API, at(f"{TEMPLATE}/scale/rules/0/custom/metadata/value", 70), "70 is not of type 'string'"),
        (AZURE_API, at("properties/configuration/ingress/targetport", 8000), "'targetport' was unexpected"),
        (AZURE_API, at("properties/configuration/activeRevisionsMode", "single"), "'single' is not one of"),
        (AZURE_API, at("properties/environmentId", None), "'environmentId' is a required property"),
        (AZURE_JOB, at("properties/configuration/triggerType", "Once"), "'Once' is not one of"),
        (AZURE_JOB, at(f"{TEMPLATE}/scale", {}), "'scale' was unexpected"),
        (API, at(f"{CONTAINER}/startupProbe/periodSeconds", 241), "241 is greater than the maximum of 240"),
        (API, at(f"{CONTAINER}/startupProbe/timeoutSeconds", 241), "241 is greater than the maximum of 240"),
        (API, at(f"{CONTAINER}/livenessProbe/periodSeconds", 3601), "3601 is greater than the maximum of 3600"),
        (API, at(f"{CONTAINER}/readinessProbe/failureThreshold", 0), "0 is less than the minimum of 1"),
        (API, at(f"{CONTAINER}/livenessProbe/exec", {"command": ["true"]}), "'exec' was unexpected"),
        (API, at(f"{CONTAINER}/ports/0/containerPort", "8000"), "'8000' is not of type 'integer'"),
        (API, at(f"{CONTAINER}/securityContext", {}), "'securityContext' was unexpected"),
        (API, at(f"{CONTAINER}/env/0/value", 1), "1 is not of type 'string'"),
        (API, at("spec/template/spec/timeoutSeconds", 3601), "3601 is greater than the maximum of 3600"),
        (API, at("spec/template/spec/terminationGracePeriodSeconds", 30), "was unexpected"),
        (API, at("spec/replicas", 2), "'replicas' was unexpected"),
        (API, at("metadata/annotations/run.googleapis.com~cpu-throttling", "false"), "was unexpected"),
        (API, at("spec/template/metadata/annotations/run.googleapis.com~cpu-throttling", False), "False is not one of"),
        (JOB, at("spec/template/spec/template/spec/containers/0/startupProbe", {}), "'startupProbe' was unexpected"),
        (JOB, at("spec/template/spec/template/spec/maxRetries", "4"), "'4' is not of type 'integer'"),
    ],
)
def test_a_schema_refuses(path: str, change: Change, message: str) -> None:
    """A field that isn't there, a value of another type, a probe out of its range."""
    manifest = read(path)
    change(manifest)
    with pytest.raises(jsonschema.ValidationError) as refused:
        check(manifest)
    assert message in refused.value.message
