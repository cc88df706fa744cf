"""What the images hold, and what they don't."""

import shutil
import time
from pathlib import Path

import pytest

from stack.docker import docker
from stack.site import REPOSITORY
from tests.containers.helpers import IMAGES, inspect

LIMITS = {"api": 130e6, "worker": 330e6}  # bytes above the base image
SERVICES = list(IMAGES)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service."""
    return str(request.param)


def size_above_base(image: str) -> int:
    """Bytes of the layers that the Dockerfile adds: those of the base come first."""
    history = docker("history", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image).splitlines()
    added = next(n for n, line in enumerate(history) if "useradd --uid 10001" in line)
    return sum(int(line.split("\t")[0]) for line in history[: added + 1])


def test_their_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """The api adds at most 130 MB to its base, the worker 330."""
    sizes = {service: (inspect(image)["Size"], size_above_base(image)) for service, image in IMAGES.items()}
    with capsys.disabled():
        for service, (whole, added) in sizes.items():
            print(f"\nimage of the {service}: {whole / 1e6:.0f} MB, {added / 1e6:.0f} MB above its base")
    assert all(sizes[service][1] <= limit for service, limit in LIMITS.items())


def test_they_run_as_nobody_in_particular(service: str) -> None:
    """By number, user and group, as Kubernetes' runAsNonRoot wants it; started without a shell in between."""
    config = inspect(IMAGES[service])["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] is None or config["Entrypoint"][0] != "/bin/sh"
    assert config["Cmd"] == ["gunicorn", "-c", f"services/{service}/gunicorn.conf.py"]


def test_they_bring_no_tools_and_no_cuda(service: str) -> None:
    """The environment has neither pip nor setuptools, no torch, no package of CUDA, and no pip cache was left."""
    look = "ls /opt/venv/lib/python3.11/site-packages; ls -d /root/.cache/pip; command -v gcc make git; true"
    found = docker("run", "--rm", "--user", "0", IMAGES[service], "sh", "-c", look).lower().split()
    assert "gunicorn" in found
    unwanted = ("pip", "setuptools", "torch", "transformers", "nvidia", "triton", "/root", "/usr")
    assert not [name for name in found if name.startswith(unwanted)]


def test_they_write_nothing_into_their_own_code(service: str) -> None:
    """All of it belongs to root, and is compiled already."""
    own = "find /app /opt/venv -writable ! -type l"
    assert docker("run", "--rm", IMAGES[service], "sh", "-c", own) == ""
    sources = (
        f"find /app/services/{service}/src -name '*.py' | wc -l; find /app/services/{service}/src -name '*.pyc' | wc -l"
    )
    written, compiled = docker("run", "--rm", IMAGES[service], "sh", "-c", sources).split()
    assert written == compiled != "0"


def test_a_clone_that_only_its_owner_can_read(service: str, tmp_path: Path) -> None:
    """As with a umask of 077: the user of the container can read all the same what it runs."""
    for part in (".dockerignore", "requirements", "libs", "services"):
        copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copy
        copy(REPOSITORY / part, tmp_path / part)
    for folder in (tmp_path / "libs", tmp_path / "services"):
        for each in (folder, *folder.rglob("*")):
            each.chmod(each.stat().st_mode & 0o700)
    image = f"warmstart-{service}:{tmp_path.name.lower()}"
    docker("build", "-f", str(tmp_path / "services" / service / "Dockerfile"), "-t", image, str(tmp_path))
    unreadable = "find /app /opt ! -readable 2>&1"
    try:
        assert docker("run", "--rm", image, "sh", "-c", unreadable) == ""
    finally:
        docker("image", "rm", image)


def test_a_source_change_replaces_one_layer(service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The locked packages come from the cache; of the image's layers only that of the sources is new."""
    for part in (".dockerignore", "requirements", "libs", "services"):
        copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copy
        copy(REPOSITORY / part, tmp_path / part)
    with (tmp_path / "services" / service / "src" / service / "app.py").open("a") as source:
        source.write(f"\n# {tmp_path}\n")
    image = f"warmstart-{service}:{tmp_path.name.lower()}"
    before = inspect(IMAGES[service])["RootFS"]["Layers"]
    began = time.monotonic()
    file = str(tmp_path / "services" / service / "Dockerfile")
    said = docker("build", "--progress=plain", "-f", file, "-t", image, str(tmp_path), merge=True)
    seconds = time.monotonic() - began
    after = inspect(image)["RootFS"]["Layers"]
    docker("image", "rm", image)
    with capsys.disabled():
        cached = said.count("CACHED")
        print(f"\n{service}: rebuilt after a source change in {seconds:.1f} s, {cached} steps from the cache")
    installs = [line.split()[0] for line in said.splitlines() if "require-hashes" in line and " RUN " in line]
    assert installs
    assert all(f"{step} CACHED" in said for step in installs)
    assert len(after) == len(before)
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
