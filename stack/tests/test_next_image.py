"""The image of the workers of another model, and the one that `make up` builds later: docker is a stand-in."""

import os
from pathlib import Path

import pytest

from stack import ComposeStack, StackError, free_ports
from stack.models import Models

DOCKER = """#!/bin/sh
case "$*" in
*" build "*)
  next="$NEXT_EMBEDDING_MODEL:$NEXT_WORKER_TARGET"
  echo "$EMBEDDING_MODEL:$WORKER_TARGET $next ${{*##* build }}" >> {folder}/built ;;
*" up "*) echo "${{*##* --no-build }}" >> {folder}/started ;;
*" run "*) echo "${{*##* run }}" >> {folder}/run; exit 7 ;;
esac
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComposeStack:
    """One whose containers never come up; the user names no model."""
    for name in ("EMBEDDING_MODEL", "WORKER_TARGET", "NEXT_WORKER_TARGET", "ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("stack.project.REPOSITORY", tmp_path)  # its .env is not the user's
    script = tmp_path / "docker"
    script.write_text(DOCKER.format(folder=tmp_path))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return ComposeStack(tmp_path / "stack", free_ports())


def built(stack: ComposeStack) -> str:
    """The worker's model and target, those of worker-next, and what was built last."""
    return (stack.site.root.parent / "built").read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("model", "target"), [("organisation/other", "model"), ("sentence-transformers/all-MiniLM-L6-v2", "serving")]
)
def test_the_next_model_has_an_image_of_its_own(stack: ComposeStack, model: str, target: str) -> None:
    """The worker's stays as it is. Workers that don't become ready leave nothing behind."""
    with pytest.raises(StackError, match="worker-next ended"):
        stack.start_next(model)
    assert built(stack) == f": {model}:{target} worker-next"
    assert stack.next_model() == ""


@pytest.mark.parametrize(
    ("named", "worker"),
    [({}, "other:model"), ({"EMBEDDING_MODEL": "third"}, "third:model"), ({"WORKER_TARGET": "torch"}, "other:torch")],
)
def test_the_image_has_the_model_that_was_served_last(
    stack: ComposeStack, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], worker: str
) -> None:
    """Unless the user names a model, or what the image is for."""
    for name, value in {"WHEELS_IMAGE": "mine", **named}.items():
        monkeypatch.setenv(name, value)
    Models(stack.site, "compose").note(served="other")
    stack.project.make_images(["worker"])
    assert built(stack) == f"{worker} : worker"


@pytest.mark.parametrize(
    ("named", "model", "target"),
    [
        ({"WORKER_TARGET": "torch"}, "all-MiniLM-L6-v2", "torch"),  # ENGINE may need it
        ({"WORKER_TARGET": "torch"}, "other", "model"),  # which the image with torch hasn't
        ({"NEXT_WORKER_TARGET": "torch"}, "other", "torch"),
    ],
)
def test_the_next_image_is_for_what_the_user_says(
    stack: ComposeStack, named: dict[str, str], model: str, target: str
) -> None:
    """In .env, as for the worker's image."""
    lines = [f"{name}={value}" for name, value in named.items()]
    (stack.site.root.parent / ".env").write_text("\n".join(lines))
    Models(stack.site, "compose").note(next=model)
    stack.project.make_images(["worker-next"])
    assert built(stack).split()[1] == f"{model}:{target}"


def test_an_image_without_the_model_is_refused(stack: ComposeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker couldn't start, and the replacement not be finished."""
    monkeypatch.setenv("WORKER_TARGET", "torch")
    stack.project.require_image("all-MiniLM-L6-v2")
    with pytest.raises(StackError, match="WORKER_TARGET=torch has no other: leave it unset first"):
        stack.project.require_image("other")


def test_workers_that_searches_may_need_stay(stack: ComposeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a replacement begun again, nor another model's name, takes them away; nor the worker its model."""
    Models(stack.site, "compose").note(served="first", next="other")
    with pytest.raises(StackError, match="worker-next ended"):
        stack.start_next("other")
    with pytest.raises(StackError, match="worker-next is there for other"):
        stack.start_next("third")
    assert stack.next_model() == "other"
    monkeypatch.setenv("EMBEDDING_MODEL", "other")
    for begin in (stack.up, lambda: stack.start("worker")):
        with pytest.raises(StackError, match="EMBEDDING_MODEL=other, but other is replacing first"):
            begin()


def test_the_rest_starts_without_them(stack: ComposeStack) -> None:
    """They come before the api, which then finds them at once; that they don't start is judged afterwards."""
    Models(stack.site, "compose").note(next="other")
    with pytest.raises(StackError, match=r"(postgres|worker) ended"):
        stack.up()
    following, rest = (stack.site.root.parent / "started").read_text().splitlines()
    assert following.split() == ["--no-deps", "worker-next"]
    assert rest.split()[:4] == ["postgres", "valkey", "worker", "api"]


def test_the_job_runs_in_a_container_of_the_api(stack: ComposeStack) -> None:
    """Beside those that serve, with their settings; its exit code is the caller's."""
    assert stack.run_reindex("roll-back", "--at-once") == 7
    arguments = (stack.site.root.parent / "run").read_text().strip()
    assert arguments == "--rm --no-deps --no-TTY api python -m api.reindex roll-back --at-once"
