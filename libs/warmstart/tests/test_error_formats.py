"""The envelope of errors, and FastAPI's own format instead of it."""

from typing import Any, Literal

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field

from warmstart import ServiceSettings, install
from warmstart.errors import Overloaded
from warmstart.http.errors import install_errors

SOLD_OUT = {"reason": "sold out", "left": [1, 2]}


def client_of(app: FastAPI, error_format: Any) -> TestClient:
    """Of an application whose routes fail."""
    install(app, ServiceSettings(max_body_bytes=200), error_format=error_format)

    @app.get("/object")
    async def with_object() -> None:
        raise HTTPException(409, SOLD_OUT, {"X-Left": "2"})

    @app.get("/busy")
    async def busy() -> None:
        raise Overloaded("full", retry_after=1.2)

    @app.get("/odd")
    async def odd() -> None:
        raise HTTPException(599, "odd")

    @app.get("/number")
    async def number(number: int) -> int:
        return number

    @app.post("/body")
    async def body(body: dict[str, int]) -> None:
        """Of one who sends too much."""

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret")

    return TestClient(app, raise_server_exceptions=False)


def test_a_detail_that_is_an_object_stays_one() -> None:
    """In the envelope it stands beside the four fields that every error has, and headers are sent."""
    answer = client_of(FastAPI(), "envelope").get("/object")
    error = {"message": "Conflict", "type": "invalid_request_error", "param": None, "code": "conflict"}
    assert answer.json() == {"error": error | {"detail": SOLD_OUT}}
    assert (answer.status_code, answer.headers["x-left"]) == (409, "2")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/object", 409, {"detail": SOLD_OUT}),
        ("/nosuch", 404, {"detail": "Not Found"}),
        ("/busy", 503, {"detail": "full"}),
        ("/livez/nosuch", 404, {"detail": "Not Found"}),
    ],
)
def test_fastapis_own_format(path: str, status: int, body: object) -> None:
    """Errors are as FastAPI has them, typed ones too."""
    answer = client_of(FastAPI(), "fastapi").get(path)
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers.get("retry-after") == ("2" if path == "/busy" else None)


def test_invalid_input_and_limits_in_fastapis_format() -> None:
    """Invalid input is FastAPI's 422 with its list, an unexpected error its text, and limits are in its format."""
    client = client_of(FastAPI(), "fastapi")
    invalid = client.get("/number?number=x")
    assert (invalid.status_code, invalid.json()["detail"][0]["loc"]) == (422, ["query", "number"])
    assert (client.get("/bug").status_code, client.get("/bug").text) == (500, "Internal Server Error")
    large = client.post("/body", content=b"x" * 300)
    assert (large.status_code, list(large.json())) == (413, ["detail"])


def test_a_status_without_a_name_is_answered() -> None:
    """Where HTTP has no name for a status, its code is the number."""
    answer = client_of(FastAPI(), "envelope").get("/odd")
    assert (answer.status_code, answer.json()["error"]["code"]) == (599, "599")


def test_an_applications_own_handlers_stay() -> None:
    """A handler that was there before keeps its errors, whatever the format."""
    app = FastAPI()

    @app.exception_handler(404)
    async def missing(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("mine", 404)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse("oops", 500)

    client = client_of(app, "envelope")
    assert [client.get(path).json() for path in ("/nosuch", "/bug")] == ["mine", "oops"]
    assert client.get("/object").json()["error"]["detail"] == SOLD_OUT


@pytest.mark.parametrize("enveloped", [False, True])
def test_a_mounted_application_has_errors_of_its_own(enveloped: bool) -> None:
    """They are FastAPI's, unless the envelope is installed there, too."""
    app, part = FastAPI(), FastAPI()
    if enveloped:
        install_errors(part)
    app.mount("/part", part)
    answer = client_of(app, "envelope").get("/part/nosuch")
    assert (answer.status_code, list(answer.json())) == (404, ["error" if enveloped else "detail"])


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pet: Cat | Dog | None = Field(None, discriminator="kind")


@pytest.mark.parametrize(
    ("body", "param"),
    [({"é" * 10**6: 1}, "é" * 99 + "…"), ({"n" * 100: 1}, "n" * 100), ({"pet": {"kind": "k" * 10**6}}, "pet")],
    ids=["long name", "shorter name", "tag"],
)
def test_an_error_repeats_no_more_than_the_beginning_of_a_name(body: Any, param: str) -> None:
    """Of a field's name an error has at most 100 characters, and of a message that repeats a value at most 1,000."""
    app = FastAPI()
    install(app, ServiceSettings())

    @app.post("/owner")
    async def owner(owner: Owner) -> None:
        """Of one who names fields at length."""

    answer = TestClient(app).post("/owner", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert len(answer.content) < 3000
