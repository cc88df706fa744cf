"""How a Python service starts, serves, fails and stops.

Names load on first use: gunicorn's master must not pull in the web framework, nor `prometheus_client` before its
multiprocess folder is known.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmstart.errors import DependencyUnavailable
    from warmstart.http.budget import time_limit
    from warmstart.http.dependencies import opened, opened_or_none
    from warmstart.http.install import install
    from warmstart.lifecycle.fatal import Fatal
    from warmstart.lifecycle.lifespan import Lifecycle
    from warmstart.lifecycle.resources import Resource
    from warmstart.pod.configure import configure
    from warmstart.settings.service import ServiceSettings

__all__ = [
    "DependencyUnavailable",
    "Fatal",
    "Lifecycle",
    "Resource",
    "ServiceSettings",
    "configure",
    "install",
    "opened",
    "opened_or_none",
    "time_limit",
]

_HOMES = {
    "DependencyUnavailable": "errors",
    "Fatal": "lifecycle.fatal",
    "Lifecycle": "lifecycle.lifespan",
    "Resource": "lifecycle.resources",
    "ServiceSettings": "settings.service",
    "configure": "pod.configure",
    "install": "http.install",
    "opened": "http.dependencies",
    "opened_or_none": "http.dependencies",
    "time_limit": "http.budget",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'warmstart' has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"warmstart.{_HOMES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return __all__
