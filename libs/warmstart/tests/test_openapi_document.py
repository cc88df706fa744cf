"""The OpenAPI document says what the application says, and which errors its routes answer."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from warmstart import ServiceSettings, install

SAID: dict[str, Any] = {
    "title": "Shop",
    "version": "3.1",
    "summary": "sells",
    "description": "things",
    "termsOfService": "https://shop.example/terms",
    "contact": {"name": "Ann", "email": "ann@shop.example"},
    "license": {"name": "MIT", "identifier": "MIT"},
}
SERVERS = [{"url": "https://shop.example", "description": "the shop"}]
TAGS = [{"name": "orders", "description": "what was bought"}]
EXTERNAL = {"url": "https://shop.example/docs"}


class Order(BaseModel):
    """What is bought."""

    what: str


def made(**how: Any) -> FastAPI:
    """An application that describes itself."""
    app = FastAPI(
        title="Shop",
        version="3.1",
        summary="sells",
        description="things",
        terms_of_service="https://shop.example/terms",
        contact=SAID["contact"],
        license_info=SAID["license"],
        openapi_tags=TAGS,
        servers=SERVERS,
        openapi_external_docs=EXTERNAL,
        separate_input_output_schemas=False,
    )
    app.openapi_version = "3.1.1"

    @app.webhooks.post("sold")
    def sold(body: Order) -> None:
        """Something was sold."""

    install(app, ServiceSettings(), **how)

    @app.post("/orders", tags=["orders"], responses={422: {"description": "sold out"}})
    async def order(body: Order) -> Order:
        return body

    return app


def test_what_the_application_says_survives() -> None:
    """Title, contact, license, servers, tags, webhooks and the version of OpenAPI are the application's own."""
    document = made().openapi()
    assert {name: document["info"].get(name) for name in SAID} | {"x": 1} == SAID | {"x": 1}
    said = [document.get(name) for name in ("servers", "tags", "externalDocs", "openapi")]
    assert said == [SERVERS, TAGS, EXTERNAL, "3.1.1"]
    assert list(document["webhooks"]) == ["sold"]
    assert "Order-Input" not in document["components"]["schemas"]


def test_errors_are_documented_as_they_are() -> None:
    """Invalid input is a 400 with the envelope, not FastAPI's 422; a 422 of the application's own stays."""
    document = made().openapi()
    responses = document["paths"]["/orders"]["post"]["responses"]
    assert {"200", "400", "413", "503", "504"} <= set(responses)
    assert responses["422"] == {"description": "sold out"}
    assert set(document["components"]["schemas"]["ErrorEnvelope"]["properties"]) == {"error"}


def test_fastapis_format_leaves_the_document_alone() -> None:
    """With FastAPI's own errors the document has FastAPI's own 422."""
    app = made(error_format="fastapi")
    app.get("/number")(lambda number: number)
    document = app.openapi()
    assert "ErrorEnvelope" not in document["components"]["schemas"]
    assert set(document["paths"]["/number"]["get"]["responses"]) == {"200", "422"}


def test_the_document_follows_the_routes() -> None:
    """A route that is added after the document was read is in it."""
    app = made()
    app.openapi()
    late = APIRouter()
    late.get("/late")(lambda: None)
    app.include_router(late)
    assert "/late" in app.openapi()["paths"]
    assert app.openapi() is app.openapi()


def test_an_applications_own_document_is_amended() -> None:
    """As FastAPI's documentation has it, an application may replace `app.openapi` before."""
    app = FastAPI()
    app.openapi = lambda: {"openapi": "3.1.0", "info": {"x-logo": "y"}, "paths": {"/a": {"summary": "s", "get": {}}}}  # type: ignore[method-assign]
    install(app, ServiceSettings())
    document = app.openapi()
    assert document["info"] == {"x-logo": "y"}
    assert "503" in document["paths"]["/a"]["get"]["responses"]


def test_a_prefix_of_a_proxy_is_in_the_pages() -> None:
    """Behind a proxy that strips `/shop`, the page asks for the document and its scripts under it; probes stay."""
    app = made()
    client = TestClient(app, root_path="/shop")
    page = client.get("/docs").text
    assert "'/shop/openapi.json'" in page
    assert '"/shop/docs-assets/swagger-ui-bundle.js"' in page
    assert client.get("/openapi.json").json()["servers"][0] == {"url": "/shop"}
    assert client.get("/livez").status_code == 200


def test_the_pages_settings_survive() -> None:
    """The parameters of Swagger UI, its OAuth2 settings and the page to which that redirects are the application's."""
    app = FastAPI(swagger_ui_parameters={"docExpansion": "none"}, swagger_ui_init_oauth={"clientId": "me"})
    install(app, ServiceSettings())
    client = TestClient(app)
    page = client.get("/docs").text
    assert '"docExpansion": "none"' in page
    assert '"clientId": "me"' in page
    assert "/docs/oauth2-redirect" in page
    assert client.get("/docs/oauth2-redirect").status_code == 200
