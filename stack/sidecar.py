"""The proxy of `Stack.detour` in a cluster: one more container of the api's pod (k8s/components/toxic)."""

import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

import yaml

from stack.interface import ADDRESSES, Part
from stack.manifests import K8S, SHARED, Object
from stack.ports import HOST

NAME = "toxic"  # of the component, the container and the ConfigMap with its program
PORTS: Mapping[Part, int] = {"postgres": 25432, "valkey": 26379, "worker": 28001}  # as the component has them
# The api reads where its stores are from files, since the addresses hold passwords. Keys of the Secret, names of files.
IN_FILES: Mapping[Part, str] = {"postgres": "database-url", "valkey": "redis-url"}


def detours() -> Mapping[Part, Mapping[str, str]]:
    """Of each part, the variables that lead the api through the proxy."""
    stores = {part: {f"{ADDRESSES[part]}_FILE": f"{SHARED}/{name}"} for part, name in IN_FILES.items()}
    return {**stores, "worker": {ADDRESSES["worker"]: f"http://{HOST}:{PORTS['worker']}"}}


def files(secret: Mapping[str, str]) -> dict[str, str]:
    """By name, the files with the stores' addresses, from the data of the Secret that has the real ones."""
    return {name: _through(part, base64.b64decode(secret[name]).decode()) for part, name in IN_FILES.items()}


def _through(part: Part, url: str) -> str:
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{HOST}:{PORTS[part]}").geturl()


def beside(spec: Object, environment: Mapping[str, str]) -> Object:
    """The patch of a pod of the api, with the proxy if the environment leads through it, else to be rid of it."""
    patch = yaml.safe_load((K8S / "components" / NAME / "api.yaml").read_text())["spec"]["template"]["spec"]
    own = {key: [each for each in parts if each["name"] == NAME] for key, parts in patch.items()}
    if not any(each.items() <= environment.items() for each in detours().values()):
        own = {key: [{"name": NAME, "$patch": "delete"}] for key in own}
    return {**own, "containers": [*spec["containers"], *own["containers"]]}
