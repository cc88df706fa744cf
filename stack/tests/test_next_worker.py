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


def test_workers_that_searches_may_need_stay(stack: EmbeddedStack) -> None:
    """A replacement that is begun again and fails doesn't take them away, nor what `up` knows of them."""
    stack.start_next("other")
    stack.stop(NEXT)
    environment = {**FAKE, "ENGINE": "sentence-transformers"}
    broken = EmbeddedStack(stack.site.root, stack.site.ports, ("worker",), environment)
    with pytest.raises(StackError, match="worker-next ended with exit code 3"):
        broken.start_next("other")
    assert stack.next_model() == "other"
    with pytest.raises(StackError, match="worker-next is there for other"):
        stack.start_next("mistyped")  # they don't run, but the next `up` starts them
    assert stack.next_model() == "other"
    elsewhere = EmbeddedStack(stack.site.root, {**stack.site.ports, NEXT: free_ports()[NEXT]}, ("worker",), FAKE)
    with pytest.raises(StackError, match=r"make up chose port \d+ for worker-next"):
        elsewhere.start_next("other")  # the api looks for them where they were
    with pytest.raises(StackError, match=r"make up chose port \d+ for worker-next"):
        elsewhere.start(NEXT)
    stack.stop_next()


def test_a_port_that_another_part_has_is_refused_at_once(tmp_path: Path) -> None:
    """`up` needed none for workers that nobody asked for; an export of the model would come before the error."""
    ports = free_ports()
    stack = EmbeddedStack(tmp_path, {**ports, NEXT: ports["api"]}, environment=FAKE)
    stack.site.remember()
    both = f"NEXT_WORKER_PORT and API_PORT are both {ports['api']}: make down first, then set one to another"
    with pytest.raises(StackError, match=both):
        stack.start_next("other")
    assert not (tmp_path / "models-embedded.json").exists()


def test_the_worker_keeps_the_model_that_is_being_replaced(stack: EmbeddedStack) -> None:
    """Searches use it, or would after a roll-back: EMBEDDING_MODEL waits for the end of the replacement."""
    stack.start_next("other")
    stack.stop("worker")
    changed = EmbeddedStack(stack.site.root, stack.site.ports, ("worker",), {**FAKE, "EMBEDDING_MODEL": "other"})
    for begin in (changed.up, lambda: changed.start("worker")):
        with pytest.raises(StackError, match="EMBEDDING_MODEL=other, but other is replacing all-MiniLM-L6-v2"):
            begin()
    assert stack.pids("worker") == []
    stack.up()
    assert model(stack, "worker") == "all-MiniLM-L6-v2"
    stack.stop_next()


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
        refused(
            '"replacement" does not exist', "CREATE TABLE replacement (old text, new text, served text, ended date)"
        )
        refused(
            "the worker keeps its model: no model is being replaced", "INSERT INTO replacement VALUES ('a', 'b', 'a')"
        )
        with pytest.raises(StackError, match="worker-next is there for other: finish or abandon that first"):
            stack.start_next("third")
        refused("the worker keeps its model: searches use it until the cut-over", "UPDATE replacement SET served = 'b'")
        stack.adopt_next()
        stack.restart("worker")
        assert model(stack, "worker") == "other"
        stack.stop(NEXT)
        broken = EmbeddedStack(stack.site.root, stack.site.ports, parts, {**FAKE, "ENGINE": "none"})
        with pytest.raises(StackError, match=r"(?s)Everything else runs, but searches use worker-next"):
            broken.up()
        assert (bool(stack.pids("worker")), stack.next_model()) == (True, "other")
        refused_sql = "UPDATE replacement SET served = 'a'"
        assert psql(refused_sql, stack.site.ports["postgres"], stack.site.secrets.postgres, 10).returncode == 0
        broken.up()  # before the cut-over nothing needs them
        assert stack.pids(NEXT) == []
        assert (
            psql(
                "UPDATE replacement SET ended = now()", stack.site.ports["postgres"], stack.site.secrets.postgres, 10
            ).stdout
            == ""
        )
        stack.start_next("third")  # a finish that was killed had no time to stop those of `other`
        assert model(stack, NEXT) == "third"


def test_the_job_has_the_settings_of_the_api(stack: EmbeddedStack, capfd: pytest.CaptureFixture[str]) -> None:
    """It prints where its caller prints, and its exit code is the caller's."""
    assert stack.run_reindex("no-such-step") not in (0, None)
    assert "api.reindex" in capfd.readouterr().err
    assert stack._settings("api")["NEXT_WORKER_URL"] == stack.url(NEXT)


class Ordered(EmbeddedStack):
    """One that only notes what it starts, and whose workers of another model don't start."""

    def _up_next(self, started: list[Part]) -> None:
        self.begun = ["next"]
        raise StackError("no such model")

    def _start_all(self, missing: list[Part], started: list[Part]) -> None:
        self.begun += missing


def test_the_api_comes_after_the_workers_that_it_may_need(tmp_path: Path) -> None:
    """It finds them when it starts, so searches work once `up` is done; without them it is started all the same."""
    stack = Ordered(tmp_path, free_ports(), ("worker", "api"))
    stack._models.note(next="other")
    with pytest.raises(StackError, match=r"(?s)no such model.*Everything else runs"):
        stack.up()
    assert stack.begun == ["next", "worker", "api"]


class Steps(EmbeddedStack):
    """One that only notes what it is to do; the job ends as `codes` says."""

    def __init__(self, root: Path, serves: bool | None, **codes: int) -> None:
        super().__init__(root, free_ports())
        self.serves, self.codes = serves, codes
        self.done: list[str] = []

    def status(self) -> list[PartStatus]:
        ready = "down" not in self.codes
        return [PartStatus(part, running=ready, ready=ready, detail="", pid=1, exit_code=None) for part in PARTS]

    def next_model(self) -> str:
        return "other"

    def next_serves(self) -> bool | None:
        return self.serves

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
        (["--model", "other", "--yes"], NOTHING, ["start other", "prepare --cut-over"], 0),
        (
            ["--model", "other", "--yes", "--lacking", "2"],
            NOTHING,
            ["start other", "prepare --cut-over --lacking 2"],
            0,
        ),
        (["--model", "other"], NOTHING, ["start other", "prepare"], 0),  # nobody can be asked
        (["--model", "other", "--yes"], {"prepare": 4}, ["start other", "prepare --cut-over"], 4),
        (["--model", "other"], {"prepare": 4}, ["start other", "prepare"], 4),
        (["cut-over", "--lacking", "2"], {"cut_over": 5}, ["cut-over --lacking 2"], 5),
        (["roll-back", "--at-once"], NOTHING, ["roll-back --at-once"], 0),
        (["finish"], NOTHING, ["adopt", "finish", "stop"], 0),
        (["finish", "--lacking", "2"], NOTHING, ["adopt", "finish --lacking 2", "stop"], 0),
        (["finish"], {"finish": 6}, ["adopt", "finish"], 6),
        (["abandon"], NOTHING, ["abandon", "stop"], 0),
        (["abandon"], {"abandon": 7}, ["abandon"], 7),
        (["status"], NOTHING, ["status"], 0),
    ],
)
def test_the_steps(tmp_path: Path, arguments: list[str], codes: dict[str, int], done: list[str], code: int) -> None:
    """Their order; one that fails is the last, and workers that searches may need are not stopped."""
    stack = Steps(tmp_path, serves=True, **codes)
    assert command(*arguments)(stack) == code
    assert stack.done == done


@pytest.mark.parametrize(
    ("step", "serves", "done"),
    [
        ("finish", False, ["finish"]),  # which says that cut-over comes first: the worker's model isn't the matter
        ("finish", None, ["stop"]),
        ("abandon", None, ["stop"]),
    ],
)
def test_an_end_out_of_turn(tmp_path: Path, step: str, serves: bool | None, done: list[str]) -> None:
    """Before the cut-over the job refuses to finish; an end that was killed after the job leaves workers to stop."""
    stack = Steps(tmp_path, serves=serves, finish=1)
    assert (command(step)(stack), stack.done) == (1 if serves is False else 0, done)


@pytest.mark.parametrize("arguments", [(), ("status", "--model", "other")])
def test_either_a_step_or_a_model(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Both at once would mean that one of them is ignored."""
    with pytest.raises(StackError, match=r"name a step .*, or a model with --model"):
        command(*arguments)(Steps(tmp_path, serves=None))


def test_a_mistyped_step_is_no_model(tmp_path: Path) -> None:
    """It would be fetched, and its workers started."""
    with pytest.raises(SystemExit):
        command("rollback")(Steps(tmp_path, serves=None))


def ended(_question: str) -> str:
    """`input`, when there is no more of it."""
    raise EOFError


def test_nothing_said_is_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D at the question leaves searches as they are."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", ended)
    stack = Steps(tmp_path, serves=False)
    assert command("--model", "other")(stack) == 0
    assert stack.done == ["start other", "prepare"]


def test_without_a_system_nothing_is_replaced(tmp_path: Path) -> None:
    """The job would wait for its stores for ever."""
    stack = Steps(tmp_path, serves=None, down=1)
    with pytest.raises(StackError, match=r"postgres isn't ready .*: make up first"):
        command("--model", "other")(stack)
    assert stack.done == []
