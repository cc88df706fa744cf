"""Workers of another model beside the first ones, with the fake engine: what starts, what is noted, what is run."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import EmbeddedStack, PartStatus, StackError, free_ports
from stack.cli_reindex import add_to
from stack.http import ask
from stack.interface import NEXT, NOTHING, PARTS, Part, Stack
from stack.pgserver import psql

FAKE = {"ENGINE": "fake", "DRAIN_SECONDS": "0"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A worker, and nothing else."""
    with EmbeddedStack(tmp_path_factory.mktemp("next"), free_ports(), ("worker",), FAKE) as running:
        yield running
        running.stop_next()


def model(stack: EmbeddedStack, part: Part) -> str:
    """What these workers serve."""
    return str(ask(f"{stack.url(part)}/model").json()["model"])


def shown(stack: EmbeddedStack) -> list[Part]:
    """The parts of which `status` tells."""
    return [each.part for each in stack.status()]


def test_both_models_are_served_side_by_side(stack: EmbeddedStack) -> None:
    """The worker keeps its model and its process; the next one has its own, and is shown only while it runs."""
    before = stack.pids("worker")
    assert shown(stack) == list(PARTS)
    stack.start_next("other")
    assert (model(stack, "worker"), model(stack, NEXT)) == ("all-MiniLM-L6-v2", "other")
    assert stack.pids("worker") == before
    assert shown(stack) == [*PARTS[:3], NEXT, *PARTS[3:]]
    stack.stop_next()
    assert (shown(stack), stack.next_model()) == (list(PARTS), "")


def test_one_model_is_replaced_at_a_time(stack: EmbeddedStack) -> None:
    """The same again changes nothing, so that a replacement can be begun again; another one is refused."""
    stack.start_next("other")
    before = stack.pids(NEXT)
    stack.start_next("other")
    assert stack.pids(NEXT) == before
    with pytest.raises(StackError, match="worker-next is there for other"):
        stack.start_next("third")
    stack.stop_next()


def test_up_starts_what_was_being_replaced(stack: EmbeddedStack) -> None:
    """After a reboot, too, searches may need its model: only `stop_next` lets `up` forget it."""
    stack.start_next("other")
    stack.down()
    assert stack.pids(NEXT) == []
    again = EmbeddedStack(stack.site.root, stack.site.ports, ("worker",), FAKE)
    again.up()
    assert model(again, NEXT) == "other"
    again.stop_next()
    again.down()
    again.up()
    assert again.pids(NEXT) == []


def test_a_model_that_cannot_be_served_leaves_nothing_behind(stack: EmbeddedStack) -> None:
    """The error has the reason, and the next `up` doesn't try it."""
    environment = {**FAKE, "ENGINE": "sentence-transformers"}
    broken = EmbeddedStack(stack.site.root, stack.site.ports, ("worker",), environment)
    with pytest.raises(StackError, match="worker-next ended with exit code 3"):
        broken.start_next("/no/such/model")
    assert (broken.next_model(), broken.pids(NEXT)) == ("", [])


def test_up_serves_the_model_that_it_served_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its documents are found by no other; EMBEDDING_MODEL names one where that is wanted."""
    ports = free_ports()
    for named, served in (("first", "first"), ("", "first"), ("second", "second"), ("", "second")):
        monkeypatch.setenv("EMBEDDING_MODEL", named)
        if not named:
            monkeypatch.delenv("EMBEDDING_MODEL")
        with EmbeddedStack(tmp_path, ports, ("worker",), FAKE) as stack:
            assert model(stack, "worker") == served


def test_the_worker_keeps_its_model_until_searches_use_the_next_one(tmp_path: Path) -> None:
    """Else nobody could serve them. After the cut-over it gets the next one, and keeps it after a restart."""
    parts: tuple[Part, ...] = ("postgres", "worker")
    with EmbeddedStack(tmp_path, free_ports(), parts, FAKE) as stack:

        def refused(why: str, sql: str) -> None:
            with pytest.raises(StackError, match=why):
                stack.adopt_next()
            assert psql(sql, stack.site.ports["postgres"], stack.site.secrets.postgres, timeout=10).returncode == 0

        stack.start_next("other")
        refused('"replacement" does not exist', "CREATE TABLE replacement (old text, new text, served text)")
        refused(
            "the worker keeps its model: no model is being replaced", "INSERT INTO replacement VALUES ('a', 'b', 'a')"
        )
        with pytest.raises(StackError, match="worker-next is there for other: finish or abandon that first"):
            stack.start_next("third")
        refused("the worker keeps its model: searches use it until the cut-over", "UPDATE replacement SET served = 'b'")
        stack.adopt_next()
        stack.restart("worker")
        assert model(stack, "worker") == "other"
        assert (
            psql("DELETE FROM replacement", stack.site.ports["postgres"], stack.site.secrets.postgres, 10).stdout == ""
        )
        stack.start_next("third")  # a finish that was killed had no time to stop those of `other`
        assert model(stack, NEXT) == "third"


def test_the_job_has_the_settings_of_the_api(stack: EmbeddedStack, capfd: pytest.CaptureFixture[str]) -> None:
    """It prints where its caller prints, and its exit code is the caller's."""
    assert stack.run_reindex("no-such-step") not in (0, None)
    assert "api.reindex" in capfd.readouterr().err
    assert stack._settings("api")["NEXT_WORKER_URL"] == stack.url(NEXT)


class Steps(EmbeddedStack):
    """One that only notes what it is to do; the job ends as `codes` says."""

    def __init__(self, root: Path, **codes: int) -> None:
        super().__init__(root, free_ports())
        self.codes = codes
        self.done: list[str] = []

    def status(self) -> list[PartStatus]:
        ready = "down" not in self.codes
        return [PartStatus(part, running=ready, ready=ready, detail="", pid=1, exit_code=None) for part in PARTS]

    def next_model(self) -> str:
        return "other"

    def start_next(self, model: str) -> None:
        self.done.append(f"start {model}")

    def stop_next(self) -> None:
        self.done.append("stop")

    def adopt_next(self) -> None:
        self.done.append("adopt")

    def run_reindex(self, *arguments: str) -> int:
        self.done.append(" ".join(arguments))
        return self.codes.get(arguments[0].replace("-", "_"), 0)


def command(*arguments: str) -> Callable[[Stack], int]:
    """`python -m stack reindex` with these arguments."""
    parser = argparse.ArgumentParser()
    found: list[Callable[[Stack, argparse.Namespace], int]] = []

    def add(_name: str, act: Callable[[Stack, argparse.Namespace], int], _text: str) -> argparse.ArgumentParser:
        found.append(act)
        return parser

    add_to(add)
    return lambda stack: found[0](stack, parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "codes", "done", "code"),
    [
        (["other", "--yes"], NOTHING, ["start other", "prepare --cut-over"], 0),
        (["other", "--yes", "--lacking", "2"], NOTHING, ["start other", "prepare --cut-over --lacking 2"], 0),
        (["other"], NOTHING, ["start other", "prepare"], 0),  # nobody can be asked
        (["other", "--yes"], {"prepare": 4}, ["start other", "prepare --cut-over"], 4),
        (["other"], {"prepare": 4}, ["start other", "prepare"], 4),
        (["cut-over", "--lacking", "2"], {"cut_over": 5}, ["cut-over --lacking 2"], 5),
        (["roll-back", "--at-once"], NOTHING, ["roll-back --at-once"], 0),
        (["finish"], NOTHING, ["adopt", "finish", "stop"], 0),
        (["finish"], {"finish": 6}, ["adopt", "finish"], 6),
        (["abandon"], NOTHING, ["abandon", "stop"], 0),
        (["abandon"], {"abandon": 7}, ["abandon"], 7),
        (["status"], NOTHING, ["status"], 0),
    ],
)
def test_the_steps(tmp_path: Path, arguments: list[str], codes: dict[str, int], done: list[str], code: int) -> None:
    """Their order; one that fails is the last, and workers that searches may need are not stopped."""
    stack = Steps(tmp_path, **codes)
    assert command(*arguments)(stack) == code
    assert stack.done == done


def test_without_a_system_nothing_is_replaced(tmp_path: Path) -> None:
    """The job would wait for its stores for ever."""
    stack = Steps(tmp_path, down=1)
    with pytest.raises(StackError, match=r"postgres isn't ready .*: make up first"):
        command("other")(stack)
    assert stack.done == []
