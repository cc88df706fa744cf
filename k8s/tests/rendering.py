"""What the overlays render to, by kubectl itself."""

import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path

import yaml

from k8s.tests.rules.manifest import Manifest, Object
from stack.site import REPOSITORY

K8S = REPOSITORY / "k8s"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there
COMBINATIONS = Path(__file__).parent / "combinations"


def silence() -> str:
    """Why nothing can be rendered here, in one line; empty when it can."""
    try:
        text_of(K8S)
    except FileNotFoundError:
        return "there is no kubectl"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().splitlines()[-1]
    return ""


def kustomizations() -> dict[str, Path]:
    """What is applied as it is, and the combinations of components, by name."""
    overlays = {folder.name: folder for folder in (K8S / "overlays").iterdir()}
    return {"k8s": K8S} | overlays | {folder.name: folder for folder in sorted(COMBINATIONS.iterdir())}


@cache
def text_of(folder: Path) -> str:
    """YAML, as `kubectl apply -k` would send it. Raises CalledProcessError when it can't be rendered."""
    command = ("kubectl", "kustomize", str(folder))
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def render(folder: Path) -> Manifest:
    """The objects of a kustomization, made anew by each call: a test may change them."""
    return Manifest(deepcopy(_objects(folder)))


@cache
def _objects(folder: Path) -> list[Object]:
    return list(yaml.load_all(text_of(folder), Loader=LOADER))
