"""Requests that schemathesis makes from the OpenAPI document of a running service, valid and invalid ones.

python -m loadtest.fuzz.cases http://127.0.0.1:8001 --requests 1000 --seed 7

Each line that it prints is a `Scenario` as JSON: what one route was sent in one phase.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count

import schemathesis
from schemathesis.config import HealthCheck, SchemathesisConfig
from schemathesis.engine import events, from_schema

EXAMPLES = 100  # made at random for a route before the next one has its turn


@dataclass(frozen=True)
class Scenario:
    """Requests of one kind.

    Attributes:
        statuses: of each request; None where no answer came.
        faults: what schemathesis found wrong, with a command that repeats it.
    """

    statuses: list[int | None]
    faults: list[str]


def scenarios(url: str, requests: int, seed: int) -> Iterator[Scenario]:
    """Until at least so many requests were sent. Raises RuntimeError when schemathesis sends nothing any more."""
    sent = 0
    for turn in count():
        before = sent
        stream = from_schema(_document(url, seed + turn, enumerates=turn == 0)).execute()
        for event in stream:
            scenario = _read(event)
            sent += len(scenario.statuses)
            if scenario.statuses or scenario.faults:
                yield scenario
            if sent >= requests:
                stream.stop()
        if sent >= requests:
            return
        if sent == before:
            raise RuntimeError("schemathesis sends nothing any more")


def _document(url: str, seed: int, *, enumerates: bool) -> schemathesis.BaseSchema:
    """The document, to be tested with what the repository's schemathesis.toml allows.

    `enumerates`: also every example, and every limit of the schema and one beyond it, which are the same each time.
    """
    config = SchemathesisConfig.discover()
    config.update(seed=seed, max_failures=None, suppress_health_check=[HealthCheck.all])
    config.cache.enabled = False  # what another run learned: the same seed would make other requests
    project = config.projects.get_default()
    project.update(base_url=url, continue_on_failure=True)
    project.generation.update(max_examples=EXAMPLES, no_shrink=True, database="none")
    project.phases.examples.enabled = project.phases.coverage.enabled = enumerates
    return schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)


def _read(event: events.EngineEvent) -> Scenario:
    match event:
        case events.ScenarioFinished(recorder=recorder):
            answers = [each.response for each in recorder.interactions.values()]
            statuses = [answer.status_code if answer else None for answer in answers]
            failures = [check.failure_info for checks in recorder.checks.values() for check in checks]
            return Scenario(statuses, [f"{info.failure}\n{info.code_sample}" for info in failures if info])
        case events.NonFatalError(value=error) | events.FatalError(exception=error):
            return Scenario([], [repr(error)])
    return Scenario([], [])


def main() -> None:
    """Print what `scenarios` says as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for scenario in scenarios(options.url, options.requests, options.seed):
        print(json.dumps(asdict(scenario)), flush=True)


if __name__ == "__main__":
    main()
