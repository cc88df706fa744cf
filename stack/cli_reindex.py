"""The command that replaces the model while it serves: `reindex --model MODEL`, and the steps of a replacement."""

import argparse
import sys
from collections.abc import Callable, Sequence

from stack.errors import StackError
from stack.http import FAILURES, ask
from stack.interface import NEXT, PARTS, Part, Stack
from stack.worker_secret import worker_headers

Add = Callable[[str, Callable[[Stack, argparse.Namespace], int], str], argparse.ArgumentParser]
STEPS = ("cut-over", "roll-back", "finish", "abandon", "status")

PREPARED = """
Searches use the former model as before.
  make reindex STEP=cut-over   lets them use {model}
  make reindex STEP=abandon    drops its vectors"""
CUT_OVER = """
Searches use {model}.
  make reindex STEP=finish     drops the former model's vectors
  make reindex STEP=roll-back  goes back to it"""
FINISHED = "The worker serves {model}, and so does the next make up, unless EMBEDDING_MODEL names another."
NOTHING_LEFT = f"No model is being replaced; {NEXT} is stopped."


def add_to(add: Add) -> None:
    """The command."""
    sub = add("reindex", _reindex, "replace the model while it serves, or do one step of that")
    sub.add_argument("step", metavar="STEP", nargs="?", choices=STEPS, help=", ".join(STEPS))
    sub.add_argument("--model", metavar="NAME", help="the new EMBEDDING_MODEL: all until the cut-over")
    sub.add_argument("--yes", action="store_true", help="cut over without a question")
    sub.add_argument("--lacking", metavar="N", help="documents that may not be found after the cut-over or roll-back")
    sub.add_argument("--at-once", action="store_true", help="of roll-back: embed nothing before")


def _reindex(stack: Stack, options: argparse.Namespace) -> int:
    if bool(options.step) == bool(options.model):
        raise StackError(f"name a step ({', '.join(STEPS)}), or a model with --model")
    if options.model:
        return _replace(stack, options)
    if options.step in ("finish", "abandon"):
        return _end(stack, options.step, _lacking(options) if options.step == "finish" else [])
    return stack.run_reindex(options.step, *_lacking(options), *(["--at-once"] if options.at_once else []))


def _lacking(options: argparse.Namespace) -> list[str]:
    return ["--lacking", options.lacking] if options.lacking else []


def _replace(stack: Stack, options: argparse.Namespace) -> int:
    """Up to the comparison of both models, or the cut-over; begun again, it goes on where it was."""
    for status in stack.status():
        if status.part in PARTS and not status.ready:
            raise StackError(f"{status.part} isn't ready ({status.detail}): make up first")
    model: str = options.model
    stack.start_next(model)
    at_once = ["--cut-over", *_lacking(options)] if options.yes else []
    if code := stack.run_reindex("prepare", *at_once):
        return code
    if not at_once:
        if not _agreed(model):
            print(PREPARED.format(model=model))
            return 0
        if code := stack.run_reindex("cut-over", *_lacking(options)):
            return code
    print(CUT_OVER.format(model=model))
    return 0


def _agreed(model: str) -> bool:
    """What the person says; no, if nobody can be asked or nothing is said."""
    try:
        return sys.stdin.isatty() and input(f"Cut over to {model}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        return False


def _end(stack: Stack, step: str, lacking: Sequence[str]) -> int:
    """`finish` or `abandon`; after one that was killed before it had stopped `worker-next`, that alone."""
    model = stack.next_model()
    if model:
        done = stack.next_serves()
        if done is None:
            stack.stop_next()
            print(NOTHING_LEFT)
            return 0
        if step == "finish" and done and _space(stack, "worker") != _space(stack, NEXT):
            stack.adopt_next()
    code = stack.run_reindex(step, *lacking)
    if code == 0:
        stack.stop_next()
        if step == "finish":
            print(FINISHED.format(model=model or "the new model"))
    return code


def _space(stack: Stack, part: Part) -> str:
    """Of the vectors that these workers make; the part's name if they don't tell."""
    try:
        space: str = ask(f"{stack.url(part)}/model", timeout=5, more=worker_headers()).json()["space"]
    except (*FAILURES, ValueError, KeyError):
        return part
    return space
