"""The schemas that every rendered object must fit, unknown fields refused."""

from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from k8s.tests.rules.manifest import Object

VERSIONS = ("1.36", "1.37")
CUSTOM: dict[str, Object] = yaml.safe_load(Path(__file__).with_name("custom.yaml").read_text())

# Kept: `validate` reads all definitions of a version again for each object, which takes 46 ms.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def check(found: Object, version: str) -> None:
    """Raise ValidationError for an object that Kubernetes of that version, or the owner of its kind, would refuse."""
    if found["kind"] in CUSTOM:
        jsonschema.validate(found, CUSTOM[found["kind"]])
    else:
        kubernetes_validate.validate(found, version, strict=True)
