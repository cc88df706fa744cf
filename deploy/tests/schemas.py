"""The platforms' own schemas, unknown fields refused."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from deploy.tests.manifests import Object

FILES = ("container-apps.yaml", "cloud-run.yaml")


@cache
def _schemas() -> dict[str, Any]:
    """By the kind that they are of."""
    found: dict[str, Any] = {}
    for file in FILES:
        kinds = yaml.safe_load(Path(__file__).with_name(file).read_text())
        shared = kinds.pop("$defs")
        found |= {kind: {**schema, "$defs": shared} for kind, schema in kinds.items()}
    return found


def check(manifest: Object) -> None:
    """Raise ValidationError for a manifest that its platform would refuse."""
    kind = manifest.get("type") or f"{manifest['apiVersion']}/{manifest['kind']}"
    jsonschema.Draft202012Validator(_schemas()[kind]).validate(manifest)
