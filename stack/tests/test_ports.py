"""Which port each part gets."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stack import StackError, free_ports
from stack.interface import EVERY, NEXT, PARTS, Part
from stack.port_claims import EPHEMERAL, _claim
from stack.ports import DEFAULTS, HOST, ports_from, require_distinct, require_free
from stack.site import REPOSITORY


def test_the_environment_overrides_the_defaults() -> None:
    """Each part's port has a variable of its own; an empty one counts for nothing."""
    environment = {"API_PORT": "1", "WORKER_PORT": "2", "POSTGRES_PORT": "3", "REDIS_PORT": ""}
    expected: dict[Part, int] = {"api": 1, "worker": 2, "postgres": 3}
    assert ports_from(environment) == {**DEFAULTS, **expected}


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
def test_a_variable_that_holds_no_port_is_named(value: str) -> None:
    """A bad number is refused before anything starts."""
    with pytest.raises(StackError, match=f"API_PORT={value} is no port number"):
        ports_from({"API_PORT": value})


def test_free_ports_are_distinct_and_free() -> None:
    """Every part can listen on the port that it is given."""
    ports = free_ports()
    assert set(ports) == set(EVERY)
    assert len(set(ports.values())) == len(EVERY)
    require_free(ports)


def test_no_port_is_one_that_the_kernel_gives_to_clients() -> None:
    """Between the choice and the server's start, an outgoing connection can't take the port."""
    low, high = map(int, EPHEMERAL.read_text().split()) if EPHEMERAL.exists() else (49152, 65535)
    chosen = {port for _ in range(25) for port in free_ports().values()}
    assert not chosen & set(range(low, high + 1))
    assert not chosen & set(DEFAULTS.values())


def test_a_chosen_port_is_of_one_process_alone() -> None:
    """Nobody else gets it before its server listens; when the process has ended, others may."""
    choose = "from stack import free_ports; print(*free_ports().values(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", choose], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = list(map(int, other.stdout.readline().split()))
        assert len(theirs) == len(EVERY)
        assert [port for port in theirs if _claim(port)] == []
        other.communicate("\n")
    assert [port for port in theirs if _claim(port)] != []


def test_every_taken_port_is_named_with_its_part_and_variable() -> None:
    """One message is enough to put all conflicts right."""
    ports = free_ports()
    with (
        socket.create_server((HOST, ports["api"])),
        socket.create_server((HOST, ports["valkey"])),
        pytest.raises(StackError) as caught,
    ):
        require_free(ports)
    message = str(caught.value)
    assert f"port {ports['api']} for api is taken: free it, or set API_PORT to another" in message
    assert f"port {ports['valkey']} for valkey is taken: free it, or set REDIS_PORT to another" in message
    assert "postgres" not in message
    assert "worker" not in message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs an account that may become another one")
def test_a_port_that_the_account_may_not_use_is_not_called_taken() -> None:
    """Nobody could free port 80, which an engine may use all the same."""
    code = """
from stack.ports import require_free
require_free({"api": 80}, by_engine=True)
require_free({"api": 80})
"""
    argv = ("setpriv", "--bounding-set=-net_bind_service", "--", sys.executable, "-c", code)
    privileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(privileged.read_text()) <= 80:
        pytest.skip("this machine lets every account use port 80")
    done = subprocess.run(argv, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    message = "port 80 for api can't be used by this account (Permission denied): set API_PORT to another"
    assert message in done.stderr
    assert "line 4, in <module>" in done.stderr


def test_a_listener_on_all_addresses_takes_the_port_too() -> None:
    """A server that listens on 0.0.0.0 would share our clients."""
    port = free_ports()["api"]
    with socket.create_server(("0.0.0.0", port)), pytest.raises(StackError, match=str(port)):
        require_free({"api": port})


def test_two_parts_never_share_a_port() -> None:
    """Who takes the next number takes the worker's: both ports are free, and still nothing can start."""
    require_distinct(DEFAULTS, EVERY)
    with pytest.raises(StackError, match="WORKER_PORT and API_PORT are both 8001: set one to another"):
        require_distinct(ports_from({"API_PORT": "8001"}), PARTS)


def test_the_port_of_a_part_that_nobody_asked_for_is_anybody_s() -> None:
    """The api may have 8002 as long as no model is being replaced."""
    ports = ports_from({"API_PORT": "8002"})
    require_distinct(ports, PARTS)
    with pytest.raises(StackError, match="NEXT_WORKER_PORT and API_PORT are both 8002"):
        require_distinct(ports, (*PARTS, NEXT))
