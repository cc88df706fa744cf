"""`POST /predict`: rows of features in, one prediction for each out, by the estimator that `GET /model` describes."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from contract import predictor
from contract.limits import ROWS
from contract.predictor import Label

PATH, NOT_CONFIGURED = predictor.PATH, predictor.NOT_CONFIGURED
FEATURES, PROBABILITIES = "features", "probabilities"  # fields of the body
WRONG_WIDTH = "wrong_number_of_features"  # code of the 400 for rows that are none of the estimator's

Feature = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # integers are welcome, text and booleans are not
Row = Annotated[list[Feature], Field(min_length=1, fail_fast=True)]
Prediction: TypeAlias = Label | list[float]  # a class, a number, or the numbers of an estimator with several outputs


class PredictRequest(BaseModel):
    """Rows of as many numbers as the estimator has features, in the order in which it was fitted."""

    model_config = ConfigDict(extra="forbid")

    features: Annotated[list[Row], Field(fail_fast=True)] = Field(
        min_length=1, max_length=ROWS, description="rows, each of as many finite numbers as the estimator has features"
    )
    probabilities: bool = Field(
        False, description="whether to answer the probability of each class, if the estimator has them"
    )


class PredictResponse(BaseModel):
    """One prediction a row; `probabilities` have a number for each of the `classes`, in their order.

    `fingerprint` is the hex sha256 of the estimator's file: while files are replaced, two answers of one `model` may be
    by two of them. `space` is that of the embeddings which a head takes.
    """

    predictions: list[Prediction]
    model: str
    fingerprint: str
    space: str | None = None
    probabilities: list[list[float]] | None = None
    classes: tuple[Label, ...] | None = None
