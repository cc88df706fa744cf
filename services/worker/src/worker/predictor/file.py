"""Reads an estimator from its file: skops' format, or a pickle whose digest the operator vouches for."""

import hashlib
import importlib.util
import stat
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

from warmstart import Fatal
from warmstart.lifecycle.health import reason
from warmstart.settings.service import words
from worker.settings import WorkerSettings

ZIP = b"PK\x03\x04"  # how skops' files begin; a pickle of joblib, compressed or not, never does
MISSING = "which is not installed: make install-predictor"


def read(file: Path, settings: WorkerSettings) -> tuple[Any, str]:
    """What is in the file, and its hex sha256. The digest is that of the very bytes which are loaded.

    Raises Fatal for a file that can't be read or loaded, has another digest than PREDICTOR_SHA256, is a pickle without
    one, holds a type that isn't trusted, or was made with another version of scikit-learn.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise Fatal(f"PREDICTOR={file} needs scikit-learn, {MISSING}")
    data = _bytes(file)
    sha256, wanted = hashlib.sha256(data).hexdigest(), settings.predictor_sha256
    if wanted and wanted.lower() != sha256:
        raise Fatal(f"PREDICTOR={file} has the sha256 {sha256}, which is not that of PREDICTOR_SHA256")
    if data.startswith(ZIP):
        return _loaded(file, lambda: _from_skops(file, data, words(settings.predictor_trusted_types or ""))), sha256
    if not wanted:
        raise Fatal(
            f"PREDICTOR={file} is no skops file. A pickle, as joblib writes it, runs whatever code is in it: it is "
            "loaded only if PREDICTOR_SHA256 is the sha256 of a file that you trust"
        )
    return _loaded(file, lambda: _from_pickle(data)), sha256


def _bytes(file: Path) -> bytes:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe or a device may have no end
            raise Fatal(f"PREDICTOR={file} is no file")
        return file.read_bytes()
    except OSError as error:
        raise Fatal(f"PREDICTOR={file} can't be read: {error.strerror}") from error


def _loaded(file: Path, load: Any) -> Any:
    from sklearn.exceptions import InconsistentVersionWarning  # noqa: PLC0415 - takes most of a second

    # scikit-learn only warns, and then may compute something else. For good, not for this load: filters are the whole
    # process's, and to restore them here could undo what another thread has set.
    warnings.filterwarnings("error", category=InconsistentVersionWarning)
    try:
        return load()
    except InconsistentVersionWarning as warning:
        made, here = warning.original_sklearn_version, warning.current_sklearn_version
        why = f"its {warning.estimator_name} was made with scikit-learn {made}, and this is {here}"
    except Fatal:
        raise
    except (Exception, SystemExit) as error:  # which would end the worker without a word of the file
        raise Fatal(f"PREDICTOR={file} can't be loaded: {reason(error)}") from error
    raise Fatal(f"PREDICTOR={file}: {why}; make it again, or install that version")


def _from_skops(file: Path, data: bytes, trusted: list[str]) -> Any:
    if importlib.util.find_spec("skops") is None:
        raise Fatal(f"PREDICTOR={file} needs skops, {MISSING}")
    import skops.io  # noqa: PLC0415

    unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - set(trusted))
    if unknown:
        raise Fatal(
            f"PREDICTOR={file} holds types that are not trusted: {', '.join(unknown)}; PREDICTOR_TRUSTED_TYPES may "
            "name them, if you trust who made the file"
        )
    return skops.io.loads(data, trusted=trusted)


def _from_pickle(data: bytes) -> Any:
    import joblib  # noqa: PLC0415

    return joblib.load(BytesIO(data))
