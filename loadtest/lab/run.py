"""A session of the lab: all trials in random order, each on disk as soon as it is over."""

import random
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from loadtest.lab import disturbance
from loadtest.lab.machine import describe
from loadtest.lab.measurement import Kind, Measurement, Trial
from loadtest.lab.others import Programs
from loadtest.lab.rolling import rolling_restart
from loadtest.lab.session import borrowed_worker
from loadtest.lab.strategies import Strategy
from loadtest.lab.trials import quiet_trial, started, users_trial
from loadtest.report.page import write
from stack import Stack, StackError

KINDS: tuple[Kind, ...] = ("users", "quiet")
SUMMARY = "summary.json"
NO_TORCH = "needs sentence-transformers, which is not installed"  # what such a worker says as it ends


class Lab:
    """Runs trials on the worker of a stack.

    Args:
        stack: the stack whose worker is borrowed.
        folder: the folder of summary and rows.
        idle: seconds of a pause in each quiet trial; 0 for none.
        more: add to the trials that the folder holds, instead of deleting them.
    """

    def __init__(self, stack: Stack, folder: Path, *, idle: float = 0, more: bool = False) -> None:
        self._stack, self._idle, self._more = stack, idle, more
        self.folder = folder

    def measure(self, strategies: Sequence[Strategy], kinds: Collection[Kind], trials: int) -> Measurement:
        """So many trials of each strategy and kind.

        Raises:
            StackError: a start failed.
            AskError: a request of a quiet trial was not answered.
            ValueError: this worker can't start by any of them, or nothing is to be measured.
        """
        if trials < 1 or not kinds or set(kinds) - set(KINDS):
            raise ValueError(f"there must be one trial or more, and kinds can be {' and '.join(KINDS)}")
        with borrowed_worker(self._stack):
            return self._measure(self._able(strategies), kinds, trials)

    def _able(self, strategies: Sequence[Strategy]) -> list[Strategy]:
        """Those that this worker can start by: that of the default image has no torch."""
        needy = [each for each in strategies if each.needs_torch]
        if needy and not self._has_torch(needy[0]):
            names = ", ".join(each.name for each in needy)
            print(f"Left out, since this worker has no torch: {names} (WORKER_TARGET=torch make up gives it one).")
            strategies = [each for each in strategies if not each.needs_torch]
        if not strategies:
            raise ValueError("nothing to measure is left")
        return list(strategies)

    def _has_torch(self, strategy: Strategy) -> bool:
        try:
            with started(self._stack, replace(strategy, settings={**strategy.settings, "WARMUP": "background"})):
                return True
        except StackError as error:
            if NO_TORCH in f"{error} {self._stack.logs('worker')}":
                return False
            raise

    def _measure(self, strategies: Sequence[Strategy], kinds: Collection[Kind], trials: int) -> Measurement:
        each = [(strategy, kind) for strategy in strategies for kind in kinds]
        # Rounds of all in random order: what the machine does meanwhile, or an interrupt, falls on all alike.
        plan = [one for _ in range(trials) for one in random.sample(each, len(each))]
        measurement = self._begin(strategies)
        began = time.monotonic()
        for number, (strategy, kind) in enumerate(plan, start=1):
            programs = Programs()
            trial = self._trial(strategy, kind, len(measurement.trials) + 1)
            if not trial.valid and self._stack.local:
                trial = replace(trial, busiest=programs.busiest(self._pids()))
            measurement = measurement.plus(trial)
            measurement.save(self.folder / SUMMARY)
            left = (time.monotonic() - began) / number * (len(plan) - number)
            print(f"{number:3}/{len(plan)}  {line(trial)}  ({left / 60:.0f} min left)", flush=True)
        return measurement

    def _pids(self) -> list[int]:
        return [pid for part in self._stack.parts for pid in self._stack.pids(part)]

    def roll(self, strategy: Strategy) -> None:
        """Add a rolling restart to the summary. Says so where it can't be done."""
        path = self.folder / SUMMARY
        if not self._stack.local:
            print("Rolling restart left out: the worker's processes are in a cluster (make k8s-drills has one).")
            return
        with borrowed_worker(self._stack):
            try:
                found = rolling_restart(self._stack, strategy, self.folder / "rows" / "rolling.jsonl")
            except PermissionError:
                print("Rolling restart left out: the worker's processes belong to another user.")
                return
        replace(Measurement.load(path), rolling=found).save(path)
        print(f"rolling restart of one of two processes: {found}")

    def report(self) -> None:
        """Make the page and the picture of what is on disk, if there is anything."""
        path = self.folder / SUMMARY
        measurement = Measurement.load(path) if path.exists() else None
        if measurement and measurement.trials:
            write(measurement, self.folder)
            if busy := disturbance.banner(measurement, list(measurement.strategies)):
                print(f"DISTURBED. {busy}", flush=True)
            print(f"Report: {self.folder / 'index.html'}", flush=True)
        else:
            print("No start was measured: no report.", flush=True)

    def _begin(self, strategies: Sequence[Strategy]) -> Measurement:
        """What the folder holds, if more is to be added to it, or nothing.

        Raises:
            ValueError: what it holds is of another machine, version or setting: one figure can't be of both.
        """
        path, rows = self.folder / SUMMARY, self.folder / "rows"
        settings = {each.name: each.environment for each in strategies}
        machine = describe(type(self._stack).__name__)
        if self._more and path.exists():
            before = Measurement.load(path)
            if others := _differences(before, machine, settings):
                raise ValueError(f"the trials in {self.folder} have another {', '.join(others)}: use another --folder")
            return replace(before, strategies={**before.strategies, **settings})
        shutil.rmtree(rows, ignore_errors=True)
        rows.mkdir(parents=True)
        path.unlink(missing_ok=True)
        return Measurement(machine, settings, ())

    def _trial(self, strategy: Strategy, kind: Kind, number: int) -> Trial:
        if kind == "quiet":
            return quiet_trial(self._stack, strategy, number, self._idle)
        return users_trial(self._stack, strategy, number, self.folder / "rows" / f"{number:03}-{strategy.name}.jsonl")


def _differences(
    before: Measurement, machine: Mapping[str, object], settings: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """What is not as before: parts of the machine but for the time, and strategies whose settings are others."""
    parts = [name for name in machine if name != "measured" and before.machine.get(name) != machine[name]]
    return parts + [name for name in settings if before.strategies.get(name, settings[name]) != settings[name]]


def line(trial: Trial) -> str:
    """A trial for people who wait."""
    times = ", ".join(
        f"{name} {when:.2f} s"
        for name, phase in (("ready", "readyz"), ("first embedding", "first_embedding"), ("steady", "steady"))
        if (when := trial.start.get(phase)) is not None
    )
    met = trial.users
    people = f"; of {met.arrived} users {sum(met.failed.values())} failed, {met.waited} waited" if met else ""
    return f"{trial.strategy:18} {trial.kind:5}  {times}{people}{'' if trial.valid else f'; DISTURBED: {trial.reason}'}"
