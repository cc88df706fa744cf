"""What `GET /model` says of the worker's estimator. Bodies are in `contract.predict`, whose import takes 2 ms."""

from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

PATH = "/predict"
NOT_CONFIGURED = "predictor_not_configured"  # code of the 404 of a worker without an estimator

Label: TypeAlias = bool | int | float | str  # a class, as JSON has it


class PredictorInfo(BaseModel):
    """`name` is the file's without its ending, `sha256` the hex digest of its content.

    A row has so many `features`. A classifier has `classes`, in the order of its probabilities; others have none. A
    head on embeddings takes those of one `space` only.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    features: int
    classes: tuple[Label, ...] | None = None
    space: str | None = None
