"""What an estimator predicts, as numbers of a row and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from contract.predict import Prediction
from contract.predictor import Label
from warmstart import Fatal

EXACT = 2**53  # the largest integer up to which float64 has all


class BrokenError(Exception):
    """The estimator failed, or answered in another form than at its proof."""


@dataclass(frozen=True)
class Outputs:
    """`classes` of a classifier, whose predictions are numbered by them; else predictions are numbers of type `kind`.

    A prediction has several `columns` if it is a list. `probable` estimators give the probability of each class, too.
    """

    classes: tuple[Label, ...] | None
    kind: type[bool | int | float] = float
    columns: int = 1
    is_list: bool = False
    probable: bool = False
    _numbers: dict[Label, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers.update({label: number for number, label in enumerate(self.classes or ())})

    @property
    def width(self) -> int:
        """The numbers of a row: those of the prediction, then the probabilities."""
        return self.columns + (len(self.classes or ()) if self.probable else 0)

    def encode(self, predicted: Any) -> NDArray[np.float64]:
        """(n, columns) numbers of what `predict` gave. Raises BrokenError unless it has the proven form."""
        found = np.asarray(predicted)
        if found.ndim != (2 if self.is_list else 1):
            raise BrokenError(f"predictions of the shape {found.shape}")
        if self.classes is None:
            numbers = found.astype(np.float64)
            if self.kind is int and (np.abs(numbers) > EXACT).any():
                raise BrokenError("a prediction is beyond 2**53")
            if self.kind is not float and (numbers.astype(self.kind) != numbers).any():
                raise BrokenError(f"a prediction is no {self.kind.__name__}, as that of the proof was")
        else:
            try:
                numbers = np.array([self._numbers[label] for label in found.tolist()], np.float64)
            except KeyError:
                raise BrokenError("a prediction is none of the classes") from None
        return numbers.reshape(len(found), -1)

    def decode(self, rows: NDArray[np.float64]) -> list[Prediction]:
        """The predictions of rows, as JSON has them."""
        if self.classes is not None:
            return [self.classes[int(number)] for number in rows[:, 0]]
        numbers = rows[:, : self.columns].astype(self.kind)
        plain: list[Prediction] = (numbers if self.is_list else numbers[:, 0]).tolist()
        return plain

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """(n, classes) of rows; None of an estimator that has none."""
        return np.ascontiguousarray(rows[:, self.columns :]) if self.probable else None


def outputs_of(estimator: Any, predicted: Any) -> Outputs:
    """How the estimator answers, from what it predicted for one row. Raises Fatal for what JSON can't say."""
    if hasattr(predicted, "toarray"):
        raise Fatal("it predicts a sparse matrix")
    found = np.asarray(predicted)
    if found.ndim not in (1, 2) or len(found) != 1 or not found.size:
        raise Fatal(f"it predicts an array of the shape {found.shape} for one row")
    classes = _classes(estimator)
    if classes is not None:
        if found.ndim == 2:
            raise Fatal("it predicts several labels a row; one is supported")
        return Outputs(classes, probable=callable(getattr(estimator, "predict_proba", None)))
    kinds: dict[str, type[bool | int | float]] = {"b": bool, "i": int, "u": int, "f": float}
    if found.dtype.kind not in kinds:
        raise Fatal(
            f"it predicts {found.dtype} without classes_: without them, only numbers and booleans are supported"
        )
    return Outputs(None, kinds[found.dtype.kind], found.size, is_list=found.ndim == 2)


def _classes(estimator: Any) -> tuple[Label, ...] | None:
    found = getattr(estimator, "classes_", None)
    if found is None:
        return None
    if not isinstance(found, np.ndarray) or found.ndim != 1 or not found.size:
        raise Fatal("it has several outputs with classes; one is supported")
    labels: Sequence[Any] = found.tolist()
    for label in labels:
        if not isinstance(label, bool | int | float | str) or (isinstance(label, float) and not math.isfinite(label)):
            raise Fatal(
                f"a class is of the type {type(label).__name__}, or no finite number: text, numbers, booleans are"
            )
    try:
        orjson.dumps(labels)
    except TypeError as error:  # half a surrogate pair, an integer of more than 64 bits
        raise Fatal(f"a class can't be written as JSON: {error}") from error
    return tuple(labels)
