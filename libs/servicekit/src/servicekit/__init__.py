"""How a Python service starts, serves, fails and stops.

Names load on first use: gunicorn's master imports `servicekit.gunicorn` and must not pull in the web framework,
nor `prometheus_client` before its multiprocess folder is known.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servicekit.dependencies import opened, opened_or_none
    from servicekit.fatal import Fatal
    from servicekit.install import install
    from servicekit.lifecycle import Lifecycle
    from servicekit.resources import Resource
    from servicekit.settings import ServiceSettings

__all__ = ["Fatal", "Lifecycle", "Resource", "ServiceSettings", "install", "opened", "opened_or_none"]

_HOMES = {
    "Fatal": "fatal",
    "Lifecycle": "lifecycle",
    "Resource": "resources",
    "ServiceSettings": "settings",
    "install": "install",
    "opened": "dependencies",
    "opened_or_none": "dependencies",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'servicekit' has no attribute {name!r}")
    # Bound here, so that `servicekit.install` stays the function after its module of the same name was imported.
    globals()[name] = getattr(import_module(f"servicekit.{_HOMES[name]}"), name)
    return globals()[name]
