"""A world of files that the sample service depends on, and the sample under a real gunicorn."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import Gunicorn
from tests.harness.sample import Start, World

CONF = Path(__file__).parent / "apps" / "gunicorn.conf.py"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Database and cache are up, the model loads in no time."""
    made = World(tmp_path)
    made.up("database", "cache")
    made.model(0)
    return made


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """`start(NAME="value")` runs the sample, `start("control")` the sample with that rule broken."""
    with ExitStack() as running:

        def begin(control: str | None = None, **env: object) -> Gunicorn:
            app = f"controls:{control}()" if control else "sample:create_app()"
            short = {"DRAIN_SECONDS": 1, "HEALTH_INTERVAL": 0.1, "HEALTH_TIMEOUT": 0.3, "CONNECTION_MAX_AGE": 3600}
            settings = {"WORLD": world.folder, "APP": app, **short, **env}
            return running.enter_context(Gunicorn(CONF, world.folder, **settings))

        yield begin


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a certificate, and of its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate", folder / "key"
    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    subprocess.run(["openssl", *new, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    return certificate, key
