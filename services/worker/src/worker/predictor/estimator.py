"""A fitted estimator, as a batcher feeds it: rows of features in, rows of numbers out."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.limits import ROWS
from warmstart import Fatal
from warmstart.errors import BadRequest, ServiceError
from warmstart.lifecycle.health import reason
from worker.predictor import metrics
from worker.predictor.outputs import BrokenError, Outputs, outputs_of
from worker.speed import Speed
from worker.work import Work

log = logging.getLogger("worker.predictor")

Table = NDArray[np.float64]  # (rows, features)

# Newcomers wait for one call of the estimator, and twenty calls fit into REQUEST_TIMEOUT: none is taken to be stuck.
PORTION = 0.5  # seconds that a call is to take at most, unless one row takes longer
GROWS = 1.5  # times as long as half of its rows: the time of a call grows with them
SEVERAL = 3  # rows, that a proof has two shapes


class RefusedError(ValueError):
    """The estimator takes no such row."""


class Estimator:
    """An input is a table of one row, (1, features), so that its length is 1 and a batch is one table.

    Where an estimator has probabilities they are always computed: so a row costs the same, whoever asks.
    """

    lengths: Sequence[int] = ()
    rows: Sequence[int] = ()

    def __init__(self, fitted: Any, features: int, outputs: Outputs, example: Table) -> None:
        self.features = features
        self.outputs = outputs
        self.example = example
        self._fitted = fitted

    @property
    def dimensions(self) -> int:
        """The numbers of a row of the answer."""
        return self.outputs.width

    def __str__(self) -> str:
        classes = self.outputs.classes
        kind = f", {len(classes)} classes" if classes is not None else ""
        return f"{type(self._fitted).__name__} of {self.features} features{kind}"

    def predict(self, batch: Sequence[Table]) -> NDArray[np.float64]:
        """(len(batch), dimensions): predictions by number, then probabilities; all finite.

        Raises RefusedError when a row seems to be at fault: for ValueError, ArithmeticError and what isn't finite; else
        BrokenError. Neither has the estimator's own message, which may quote features.
        """
        try:
            with np.errstate(all="ignore"):  # a warning for each bad row; what isn't finite is refused below
                return self._predict(np.concatenate(batch))
        except (RefusedError, BrokenError):
            raise
        except (ValueError, ArithmeticError) as error:
            failure: Exception = RefusedError(_where(error))
            trace = error.__traceback__
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an estimator may raise anything, and ends no worker
            failure, trace = BrokenError(_where(error)), error.__traceback__
        raise failure.with_traceback(trace)

    def _predict(self, table: Table) -> NDArray[np.float64]:
        # Of a copy: a scaler with copy=False changes what it is given.
        rows = self.outputs.encode(self._fitted.predict(table.copy()))
        if self.outputs.probable:
            rows = np.hstack([rows, np.asarray(self._fitted.predict_proba(table), np.float64)])
        if rows.shape != (len(table), self.dimensions):
            raise BrokenError(f"{rows.shape} numbers for {len(table)} rows, not {self.dimensions} a row")
        if not np.isfinite(rows).all():
            raise RefusedError("a prediction or a probability is not finite")
        return rows


def _where(error: BaseException) -> str:
    own = error.__traceback__
    while own and own.tb_next:
        own = own.tb_next
    place = f" in {own.tb_frame.f_code.co_name}" if own else ""
    return f"{type(error).__name__}{place}"


def examined(fitted: Any, example: Sequence[float] | None) -> Estimator:
    """The estimator, once one row and several have a prediction. Raises Fatal: why it can't be served."""
    if isinstance(fitted, type) or not callable(getattr(fitted, "predict", None)):
        raise Fatal(f"{type(fitted).__name__} is no estimator: it has no predict")
    features = getattr(fitted, "n_features_in_", None)
    if not isinstance(features, int | np.integer) or features < 1:
        raise Fatal(
            f"{type(fitted).__name__} is not fitted, or doesn't say how many features it takes (n_features_in_)"
        )
    row = np.array([[0.0] * int(features) if example is None else example], np.float64)
    if row.shape != (1, features):
        raise Fatal(f"the example on its card has {row.size} features, and it takes {features}")
    try:
        estimator = Estimator(fitted, int(features), outputs_of(fitted, fitted.predict(row.copy())), row)
        estimator._predict(np.concatenate([row] * SEVERAL))  # noqa: SLF001 - here its own message is wanted
    except Fatal as error:
        raise Fatal(f"{type(fitted).__name__} can't be served: {error}") from None
    except (Exception, SystemExit) as error:
        given = "a row of zeros (a card may name another `example`)" if example is None else "the example on its card"
        raise Fatal(f"{type(fitted).__name__} can't predict {given}: {reason(error)}") from error
    return estimator


@dataclass(frozen=True)
class Pace:
    """The speed of calls, in rows; the rows that a call is to have at most, and the seconds that it is to take."""

    speed: Speed
    rows: int
    portion: float


def measured(estimator: Estimator, longest: float) -> Pace:
    """The pace of calls of more and more rows.

    It ends with a call that takes more than a portion and whose time grows with its rows, or when one of twice the rows
    may take longer than a request. Until then a call mostly has a fixed cost, as that of a forest's hundreds of trees,
    and says little of the next. Where even the last call has, its rows are the bound and no seconds: fewer rows would
    take as long, and calls would only become smaller and smaller. Call it after a first prediction. Raises Fatal when
    one row takes longer than the `longest` request.
    """
    rows, seconds, grows = 1, _timed(estimator, 1), True
    if seconds > longest:
        raise Fatal(f"one row takes {seconds:.1f} s, and a request has {longest:g} s (REQUEST_TIMEOUT)")
    while rows < ROWS and 2 * seconds < longest:
        most, rows = GROWS * seconds, 2 * rows
        seconds = _timed(estimator, rows)
        if seconds > max(PORTION, most):  # once more: the machine may have paused
            seconds = min(seconds, _timed(estimator, rows))
        grows = seconds > most
        if grows and seconds > PORTION:
            break
    log.info("%s: %d rows in %.1f ms", estimator, rows, seconds * 1000)
    speed = Speed(rows, seconds)
    return Pace(speed, ROWS, PORTION) if grows else Pace(speed, rows, math.inf)


def _timed(estimator: Estimator, rows: int) -> float:
    """The seconds of a call. Raises Fatal when it fails."""
    began = perf_counter()
    try:
        estimator.predict([estimator.example] * rows)
    except (RefusedError, BrokenError) as error:
        raise Fatal(f"{estimator} can't predict {rows} rows: {error}") from error
    return perf_counter() - began


def failed(field: str, error: Exception) -> ServiceError:
    """The error of the caller whose row failed."""
    if isinstance(error, RefusedError):
        return BadRequest(f"{field}: the estimator has no prediction for this row", param=field, code="row_refused")
    return ServiceError(f"{field} could not be predicted", param=field, code="inference_failed")


PREDICTION = Work(
    model="the estimator",
    one="a prediction",
    several="predictions",
    inputs="rows",
    sizes="rows",
    dtype=np.float64,
    compute=Estimator.predict,
    known=lambda estimator: [estimator.example],
    failed=failed,
    failures=metrics.FAILED,
    account=metrics.account,
)
