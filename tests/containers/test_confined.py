"""Each image alone, with nothing but what it carries: no capability, no network, nothing to write to but /dev/shm."""

import pytest

from stack import until
from stack.docker import docker
from tests.containers.helpers import IMAGES, ask, inspect, logs, running, wait_exit

CONFINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
IPV6 = "--sysctl=net.ipv6.conf.all.disable_ipv6=0"  # an engine switches it off where its networks have none
PORTS = {"api": 8000, "worker": 8001}
LACKING = {"api": "STARTUP_TIMEOUT=5", "worker": "EMBEDDING_MODEL=/nonexistent"}
SAID = {
    "api": "not ready within 5 s; postgres retrying",
    "worker": "start failed; model failed: EMBEDDING_MODEL=/nonexistent is neither a folder nor one of",
}


@pytest.mark.parametrize("service", list(IMAGES))
def test_it_answers_and_fails_cleanly(service: str) -> None:
    """While a dependency may still come `/livez` answers, over IPv6 too; then a line says what is missing: exit 3."""
    with running(IMAGES[service], *CONFINED, IPV6, "--env", LACKING[service]) as container:
        if service == "api":
            for host in ("127.0.0.1", "[::1]"):
                until(lambda host=host: ask(container, PORTS[service], "/livez", host), 5, f"/livez at {host}")  # type: ignore[misc]
        assert wait_exit(container) == 3
        errors = [line for line in logs(container).splitlines() if " ERROR " in line and " warmstart." in line]
    assert len(errors) == 1
    assert SAID[service] in errors[0]


@pytest.mark.parametrize("user", ["10001:10001", "123456:0"])
def test_the_worker_needs_nothing_else(user: str) -> None:
    """With the model it carries it gets ready without a network, as any user, and SIGTERM ends it with 0."""
    with running(IMAGES["worker"], *CONFINED, "--user", user, "--env", "DRAIN_SECONDS=0") as container:
        until(lambda: ask(container, 8001, "/livez"), 10, "/livez")
        until(lambda: ask(container, 8001, "/readyz"), 60, "/readyz")
        docker("stop", "--time", "30", container)
        assert inspect(container)["State"]["ExitCode"] == 0
