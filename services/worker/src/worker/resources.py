"""What the worker opens, and how routes reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI

from warmstart import Fatal, Resource, opened
from warmstart.errors import DependencyUnavailable
from worker.loading import Loader, load
from worker.model import Model
from worker.source import ModelSource


def model_resource(load: Loader = load) -> Resource[ModelSource]:
    """The model that `load` gives: loaded and warmed at start, or with WARMUP=lazy by the first request.

    In a unit test: `create_app(resources=[model_resource(lambda settings: Loaded(engine, "name", "0" * 64))])`.
    """

    @asynccontextmanager
    async def open_model(app: FastAPI) -> AsyncIterator[ModelSource]:
        source = ModelSource(app, load)
        try:
            if app.state.settings.warmup != "lazy":
                await source.get()
            yield source
        finally:
            source.close()

    return Resource("model", open_model, check=ModelSource.check, gates=True, describe=ModelSource.describe)


RESOURCES = (model_resource(),)


async def loaded(source: Annotated[ModelSource, Depends(opened("model"))]) -> Model:
    """The model, or a typed 503."""
    try:
        return await source.get()
    except Fatal as error:
        raise DependencyUnavailable("model", str(error)) from error


LoadedModel = Annotated[Model, Depends(loaded)]
