"""`/docs` and `/redoc` with scripts and styles from this server: FastAPI's pages load them from another host."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from warmstart.errors import NotFound, shortened

PACKAGE = "fastapi_offline"  # the package with the files; its own application class is not used
NAMES = ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png")
FOLDER = "/docs-assets"


def install_docs(app: FastAPI) -> None:
    """Replace the pages that FastAPI has made, if there are any; like the OpenAPI document, they need no key."""
    spec = find_spec(PACKAGE)
    if app.openapi_url is None or spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0]) / "static"
    own = {app.docs_url, app.redoc_url} - {None}
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) not in own]
    app.include_router(_pages(app, app.openapi_url, {name: folder / name for name in NAMES}))


def _pages(app: FastAPI, document: str, files: dict[str, Path]) -> APIRouter:
    """All addresses begin with the prefix under which a proxy offers the application."""
    router = APIRouter(include_in_schema=False)
    if app.docs_url:

        @router.get(app.docs_url)
        async def swagger(request: Request) -> HTMLResponse:
            prefix = _prefix(request)
            redirect = app.swagger_ui_oauth2_redirect_url
            return get_swagger_ui_html(
                openapi_url=prefix + document,
                title=app.title,
                swagger_js_url=f"{prefix}{FOLDER}/swagger-ui-bundle.js",
                swagger_css_url=f"{prefix}{FOLDER}/swagger-ui.css",
                swagger_favicon_url=f"{prefix}{FOLDER}/favicon.png",
                oauth2_redirect_url=prefix + redirect if redirect else None,
                init_oauth=app.swagger_ui_init_oauth,
                # Otherwise the page sends the document's address to another host.
                swagger_ui_parameters={"validatorUrl": None, **(app.swagger_ui_parameters or {})},
            )

    if app.redoc_url:

        @router.get(app.redoc_url)
        async def redoc(request: Request) -> HTMLResponse:
            prefix = _prefix(request)
            return get_redoc_html(
                openapi_url=prefix + document,
                title=app.title,
                redoc_js_url=f"{prefix}{FOLDER}/redoc.standalone.js",
                redoc_favicon_url=f"{prefix}{FOLDER}/favicon.png",
                with_google_fonts=False,
            )

    @router.get(FOLDER + "/{name}")
    async def asset(name: str) -> FileResponse:
        if name not in files:
            raise NotFound(f"there is no asset {shortened(name)!r}", param="name")
        return FileResponse(files[name], headers={"Cache-Control": "max-age=3600"})

    return router


def _prefix(request: Request) -> str:
    prefix: str = request.scope.get("root_path", "")
    return prefix.rstrip("/")
