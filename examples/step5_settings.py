"""The settings of step 5, in a module of their own: gunicorn's master reads them, and needs no web framework for it."""

from pathlib import Path

from pydantic import Field

from warmstart import ServiceSettings


class Settings(ServiceSettings):
    """What every service has, and two of its own: DATABASE and LARGEST."""

    database: Path = Field(Path("predictions.db"), description="file of the predictions")
    largest: float = Field(100, gt=0, description="largest number that the model was trained for")
