"""The passwords of a stack."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from stack import StackError
from stack.operator_key import operator_headers
from stack.secrets import Secrets, load_secrets
from stack.worker_secret import worker_headers


def test_they_are_made_once(tmp_path: Path) -> None:
    """A second run finds those of the first; another stack has others."""
    first = load_secrets(tmp_path / "a")
    assert load_secrets(tmp_path / "a") == first
    assert len({first.postgres, first.redis, load_secrets(tmp_path / "b").postgres}) == 3


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    """The file is private when it is made, and made private when it wasn't."""
    file = tmp_path / ".env"
    load_secrets(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    load_secrets(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_other_lines_of_the_file_stay(tmp_path: Path) -> None:
    """A person may keep settings there, and a password of their own."""
    file = tmp_path / ".env"
    file.write_text("# mine\nAPI_PORT=9000\nREDIS_PASSWORD=mine=yes")
    found = load_secrets(file)
    assert found.redis == "mine=yes"
    assert file.read_text().startswith("# mine\nAPI_PORT=9000\nREDIS_PASSWORD=mine=yes\nPOSTGRES_PASSWORD=")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("REDIS_PASSWORD=p@s:s/w?r#d%41é", "p@s:s/w?r#d%41é"),
        ("REDIS_PASSWORD='p$s \"w' # a comment", 'p$s "w'),
        ('REDIS_PASSWORD="two words"', "two words"),
        ("REDIS_PASSWORD=one # a comment", "one"),
        ("export REDIS_PASSWORD = one ", "one"),
        ("\ufeffREDIS_PASSWORD=one", "one"),
    ],
)
def test_own_passwords_are_read_as_compose_reads_them(tmp_path: Path, line: str, value: str) -> None:
    """Quotes, comments and spaces around belong to the file, any other character to the password."""
    file = tmp_path / ".env"
    file.write_text(f"{line}\n")
    assert load_secrets(file).redis == value


@pytest.mark.parametrize("value", ["p$s", "${HOME}", '"p$s"', "p\\s", '"p\\s"', "p's", "'p's'", "'p\\s'", '"p"s"'])
def test_what_compose_would_read_in_its_own_way_is_named(tmp_path: Path, value: str) -> None:
    """The message says which variable it is and how to write it, and does not show it."""
    file = tmp_path / ".env"
    file.write_text(f"POSTGRES_PASSWORD=one\nREDIS_PASSWORD={value}\n")
    with pytest.raises(StackError, match="REDIS_PASSWORD='…'") as caught:
        load_secrets(file)
    assert value not in str(caught.value)


def test_they_fit_into_a_url(tmp_path: Path) -> None:
    """No character of them needs quoting."""
    found = load_secrets(tmp_path / ".env")
    assert (found.postgres + found.redis).replace("-", "").replace("_", "").isalnum()


def test_repr_hides_them(tmp_path: Path) -> None:
    """A traceback or a log line that shows the object shows no password."""
    found = load_secrets(tmp_path / ".env")
    assert found.postgres not in f"{found!r} {found}"


def test_who_calls_the_worker_shows_its_secret(tmp_path: Path) -> None:
    """Load tests and drills do so by themselves, with the first value of this shell, or of the file that it names."""
    (tmp_path / "secret").write_text("new\nold\n")
    assert worker_headers({}) == {}
    assert worker_headers({"WORKER_SECRET": "new, old"}) == {"Authorization": "Bearer new"}
    assert worker_headers({"WORKER_SECRET_FILE": str(tmp_path / "secret")}) == {"Authorization": "Bearer new"}


def test_who_looks_inside_shows_an_operators_key(tmp_path: Path) -> None:
    """Drills and benchmarks read processes and metrics of a stack whose shell has OPERATOR_KEYS."""
    (tmp_path / "keys").write_text("new\nold\n")
    assert operator_headers({"WORKER_SECRET": "other"}) == {}
    assert operator_headers({"OPERATOR_KEYS": "new, old"}) == {"Authorization": "Bearer new"}
    assert operator_headers({"OPERATOR_KEYS_FILE": str(tmp_path / "keys")}) == {"Authorization": "Bearer new"}


def test_first_commands_at_once_make_one_password(tmp_path: Path) -> None:
    """Each goes on with what the file has then: with its own, it would make a database that no other can open."""
    at_once = 8
    for number in range(20):
        file, barrier = tmp_path / f"{number}.env", Barrier(at_once)

        def first(_: int, file: Path = file, barrier: Barrier = barrier) -> Secrets:
            barrier.wait()
            return load_secrets(file)

        with ThreadPoolExecutor(at_once) as pool:
            found = set(pool.map(first, range(at_once)))
        assert found == {load_secrets(file)}
