"""`python -m worker.export`: makes the artifact of the model that the settings name, unless it exists.

With PRECISION=int8 or --int8 it makes the int8 artifact of that model, whose name ends in -int8.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from warmstart import Fatal
from warmstart.lifecycle.health import reason
from warmstart.settings.service import load
from worker.artifact.build import build
from worker.artifact.int8 import Judges, build_int8
from worker.artifact.manifest import EngineName, Manifest
from worker.artifact.verification import RefusedError
from worker.hub import fetch, hub_model
from worker.model_files import INT8, ModelFolder, Wanted, locate, quantized, wanted
from worker.settings import WorkerSettings

log = logging.getLogger("worker.export")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when the artifact is there, 3 when it can't be made, 130 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m worker.export", description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=get_args(EngineName), default=list(get_args(EngineName)))
    parser.add_argument(
        "--int8", action="store_true", help=f"make the int8 artifact, NAME{INT8}, as PRECISION=int8 does"
    )
    parser.add_argument(
        "--texts", type=Path, metavar="FILE", help="texts of yours to judge int8 by: one a line, or JSON Lines"
    )
    parser.add_argument("--labelled", type=Path, metavar="FILE", help="pairs of texts with scores, to judge int8 by")
    parser.add_argument("--force", action="store_true", help="make it again, even if it exists")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)  # exporters are talkative
    log.setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    settings = load(WorkerSettings)
    int8 = options.int8 or settings.precision == "int8"
    if not int8 and (options.texts or options.labelled):
        parser.error("--texts and --labelled are for int8: add --int8")
    try:
        model = wanted(settings.embedding_model)
        if int8:
            model = quantized(model)
        target = settings.artifacts / model.folder
        anew = options.force or options.texts or options.labelled
        if not anew and _is_there(target, model, options):
            log.info("the artifact is there: %s", target)
            return 0
        judges = Judges.of(options.texts, options.labelled) if int8 else None
        source = _locate(settings.embedding_model)
        if not options.force:
            _refuse_anothers(target, source)
        if judges:
            build_int8(source, target, settings.threads, judges)
        else:
            build(source, target, options.engines, settings.threads)
    except Exception as error:  # noqa: BLE001 - exporters raise anything for a model that they can't write
        _tell(error, settings.artifacts)
        return 3
    except KeyboardInterrupt:
        log.error("interrupted")
        return 130
    log.info("wrote %s", target)
    return 0


def _tell(error: Exception, artifacts: Path) -> None:
    """In one line; before it, what nobody foresaw with its traceback."""
    if isinstance(error, OSError) and error.strerror:  # a full disk names no file
        log.error("no artifact: %s: %s", error.filename or artifacts, error.strerror)
        return
    if not isinstance(error, Fatal | RefusedError):
        log.error("the export failed", exc_info=error)
    log.error("no artifact: %s", reason(error))


def _locate(name: str) -> ModelFolder:
    if name.endswith(INT8) and not Path(name).is_dir() and not hub_model(name):
        how = f"make artifact PRECISION=int8 EMBEDDING_MODEL={name.removesuffix(INT8)}"
        raise Fatal(f"EMBEDDING_MODEL={name} is no artifact here; make it with: {how}")
    return locate(name, of_hub=fetch)


def _refuse_anothers(target: Path, source: ModelFolder) -> None:
    """Raise Fatal where another model's artifact is: a worker that serves it would serve this one, once restarted."""
    try:
        there = Manifest.read(target)
    except Fatal:  # nobody can serve it
        return
    if there and there.origin not in (None, source.origin):
        how = "give this one another name, with a link perhaps, or replace it with python -m worker.export --force"
        raise Fatal(f"{target} was made of another folder than {source.path}, or before a move: {how}")


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
    return {*options.engines} <= {variant.engine for variant in manifest.variants} | {*manifest.left_out}


if __name__ == "__main__":
    sys.exit(main())
