"""Who changes a file of keys that somebody else owns never hides it from the api."""

import encodings.utf_8_sig  # noqa: F401 - nobody else may read what isn't imported yet
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from api.keys.__main__ import main

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

CALLER, DAEMON, TEAM = 65534, 1, 4242  # the user daemon is not in the team
LINE = f"mobile sha256:{sha256(b'key').hexdigest()}\n"


class Case(NamedTuple):
    """The file before, and the groups of who changes it."""

    owner: int
    group: int
    mode: int
    groups: Sequence[int] = ()


@contextmanager
def caller(groups: Sequence[int]) -> Iterator[None]:
    """Be a user without rights."""
    before = os.getgroups(), os.getegid()
    os.setgroups(groups)
    os.setegid(CALLER)
    os.seteuid(CALLER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[1])
        os.setgroups(before[0])


def revoked(file: Path, case: Case) -> bool:
    """Whether the caller's command says so."""
    file.chmod(case.mode)
    os.chown(file, case.owner, case.group)
    with caller(case.groups):
        return main(["revoke", "mobile", "--file", str(file)]) == 0


@pytest.fixture
def file() -> Iterator[Path]:
    """A file of one key in a folder that everybody may change; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        file = Path(folder) / "keys"
        file.write_text(LINE)
        yield file


@pytest.mark.parametrize(
    "case",
    [
        Case(0, TEAM, 0o640, [TEAM]),
        Case(DAEMON, DAEMON, 0o640, [DAEMON]),
        Case(DAEMON, TEAM, 0o644),
        Case(CALLER, TEAM, 0o600),
    ],
)
def test_who_could_read_the_file_still_can(file: Path, case: Case) -> None:
    """A member of the group gives the new file to the group, whoever owned the former one."""
    assert revoked(file, case)
    assert LINE not in file.read_text()
    assert file.stat().st_mode & 0o777 == case.mode
    assert case.mode != 0o640 or file.stat().st_gid == case.group


@pytest.mark.parametrize(
    "case", [Case(DAEMON, TEAM, 0o660, [TEAM]), Case(CALLER, TEAM, 0o640), Case(77777, TEAM, 0o640, [TEAM])]
)
def test_a_key_is_not_revoked_where_the_api_would_not_see_it(
    file: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command fails, says what to do, and leaves the file, and nothing beside it."""
    assert not revoked(file, case)
    assert "do this as root, or as its owner" in capsys.readouterr().err
    assert (file.stat().st_uid, file.stat().st_gid, file.read_text()) == (case.owner, case.group, LINE)
    assert [each.name for each in file.parent.iterdir()] == ["keys"]
