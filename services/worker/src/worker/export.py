"""`python -m worker.export`: makes the artifact of the model that the settings name, unless it exists."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from warmstart import Fatal
from warmstart.settings.service import load
from worker.artifact.build import build
from worker.artifact.manifest import EngineName, Manifest
from worker.artifact.verification import RefusedError
from worker.hub import fetch
from worker.model_files import Wanted, locate, wanted
from worker.settings import WorkerSettings

log = logging.getLogger("worker.export")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when the artifact is there, 3 when it can't be made."""
    parser = argparse.ArgumentParser(prog="python -m worker.export", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=get_args(EngineName), default=list(get_args(EngineName)))
    parser.add_argument("--int8", action="store_true", help="also quantize to 8 bits, for PRECISION=int8")
    parser.add_argument("--force", action="store_true", help="make it again, even if it exists")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)  # exporters are talkative
    log.setLevel(logging.INFO)
    settings = load(WorkerSettings)
    try:
        model = wanted(settings.embedding_model)
        target = settings.artifacts / model.folder
        if not options.force and _is_there(target, model, options):
            log.info("the artifact is there: %s", target)
            return 0
        source = locate(settings.embedding_model, of_hub=fetch)
        build(source, target, options.engines, settings.threads, int8=options.int8)
    except (Fatal, RefusedError) as error:
        log.error("no artifact: %s", error)
        return 3
    log.info("wrote %s", target)
    return 0


def _is_there(target: Path, model: Wanted, options: argparse.Namespace) -> bool:
    try:
        manifest = Manifest.read(target)
        if manifest is None or not manifest.names(model):
            return False
        if manifest.prompts is None or not all(variant.known for variant in manifest.variants):  # of an earlier version
            return False
        for variant in manifest.variants:
            manifest.verify(target, variant)
    except Fatal as error:
        log.warning("%s: making it anew", error)
        return False
    asked = {*options.engines} | ({"int8"} if options.int8 else set())
    has = {part for variant in manifest.variants for part in (variant.engine, variant.precision)}
    return asked <= has | {*manifest.left_out}


if __name__ == "__main__":
    sys.exit(main())
