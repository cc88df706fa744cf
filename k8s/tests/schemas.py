"""The schemas that every rendered object must fit, unknown fields refused."""

from functools import cache

import kubernetes_validate

from k8s.tests.rules.manifest import Object

VERSIONS = ("1.36", "1.37")

# Kept: `validate` reads all definitions of a version again for each object, which takes 46 ms.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def check(found: Object, version: str) -> None:
    """Raise ValidationError for an object that Kubernetes of that version would refuse."""
    kubernetes_validate.validate(found, version, strict=True)
