"""A process under a quota."""

import subprocess

import pytest

from loadtest.lab.quota import quota


def test_a_process_is_in_the_cgroup_of_its_quota() -> None:
    """It is there before its program begins, and the cgroup is gone afterwards."""
    try:
        with quota(0.5) as under:
            said = subprocess.run([*under, "cat", "/proc/self/cgroup"], capture_output=True, text=True, check=True)
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    assert "warmstart-" in said.stdout
    with quota(0.5):  # of the same name
        pass
