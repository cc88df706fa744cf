"""What one side writes, the other reads; what is wrong with an input is said by its place."""

import pytest
from pydantic import ValidationError

from contract.answer import HEADERS, Description
from contract.call import MOST_TOKENS, estimate, stated_tokens
from contract.inputs import check_inputs
from contract.lane import LARGE, Lane, asked, by_size
from contract.model import ModelInfo
from contract.predict import PredictRequest, PredictResponse
from contract.predictor import PredictorInfo
from contract.prompts import Prompts
from contract.space import DEFAULT, KNOWN
from warmstart.errors import BadRequest
from warmstart.http.timing import Timings

MODEL = ModelInfo(
    model="a model",
    fingerprint="ab12",
    space="cd34",
    dimensions=384,
    max_tokens=256,
    special_tokens=2,
    vocabulary_size=30_522,
    max_text_characters=20_000,
    engine="onnx",
    precision="fp32",
    threads=1,
)


def test_a_description_survives_the_headers() -> None:
    """All that the answer's headers say is read as it was written, and each of them is documented."""
    told = Description("a model", "ab12", "cd34", 384, [3, 5], Timings(tokenize=0.001, queue=0.25, inference=1.5))
    assert Description.read(told.headers()) == told
    assert told.headers()["X-Prompt-Tokens"] == "8"
    assert told.headers().keys() == HEADERS.keys()


@pytest.mark.parametrize("spoilt", [{"X-Dimensions": "many"}, {"X-Text-Tokens": ""}, {"X-Model-Fingerprint": None}])
def test_a_spoilt_description_is_an_error(spoilt: dict[str, str | None]) -> None:
    """A header that is missing, or no number, is a KeyError or a ValueError."""
    headers = Description("a model", "ab12", "cd34", 384, [3], Timings()).headers() | spoilt
    with pytest.raises((KeyError, ValueError)):
        Description.read({name: value for name, value in headers.items() if value is not None})


def test_a_worker_that_names_no_space_has_that_of_its_fingerprint() -> None:
    """An api reads what a worker of an earlier version says; the default model's engines share a space all the same."""
    for fingerprint, expected in (("ef56", "ef56"), (next(iter(KNOWN)), DEFAULT)):
        assert spaces_read(fingerprint, None) == [expected] * 2


def test_once_a_worker_names_a_space_those_with_its_fingerprint_are_of_it() -> None:
    """While workers are replaced, an api that asks one after the other meets no change of space, after the first."""
    assert spaces_read("0a1b", None) == ["0a1b"] * 2
    assert spaces_read("0a1b", "2c3d") == ["2c3d"] * 2
    assert spaces_read("0a1b", None) == ["2c3d"] * 2


def test_the_model_tells_of_an_estimator_if_there_is_one() -> None:
    """It is read as it was written; a worker of an earlier version tells of none."""
    estimator = PredictorInfo(name="head", sha256="ab" * 32, features=384, classes=("no", "yes"), space="cd34")
    told = MODEL.model_copy(update={"predictor": estimator}).model_dump_json()
    assert ModelInfo.model_validate_json(told).predictor == estimator
    earlier = {name: value for name, value in MODEL.model_dump().items() if name != "predictor"}
    assert ModelInfo.model_validate(earlier).predictor is None


@pytest.mark.parametrize("label", [True, 1, 1.5, "yes"])
def test_a_class_keeps_its_type(label: bool | float | str) -> None:
    """On its way through JSON a boolean, an integer, a float and a text stay what they are."""
    sent = PredictResponse(
        predictions=[label, [0.5, 1.0]],
        model="head",
        fingerprint="ab" * 32,
        space="cd34",
        classes=(label,),
        probabilities=[[1.0]],
    )
    read = PredictResponse.model_validate_json(sent.model_dump_json())
    assert read == sent
    assert [type(read.predictions[0]), *map(type, read.classes or ())] == [type(label)] * 2


@pytest.mark.parametrize("row", [[], [True], ["1"], [None], [float("nan")], [float("inf")]])
def test_a_row_is_of_finite_numbers(row: list[float]) -> None:
    """Anything else is refused before it is sent."""
    with pytest.raises(ValidationError):
        PredictRequest(features=[[1.0], row])


@pytest.mark.parametrize("spoilt", [{"fingerprint": []}, {"fingerprint": None}, {"space": []}, {"space": 5}])
def test_a_name_that_is_no_text_is_refused(spoilt: dict[str, object]) -> None:
    """As any field of another type it is a ValidationError, which the api's client reports."""
    with pytest.raises(ValidationError):
        ModelInfo.model_validate(MODEL.model_dump() | {"fingerprint": "4e5f"} | spoilt)
    assert spaces_read("4e5f", None) == ["4e5f"] * 2


def spaces_read(fingerprint: str, space: str | None) -> list[str]:
    """The space in the headers of an answer and in `GET /model`, as an api reads them."""
    headers = Description("a model", fingerprint, space or "", 384, [3], Timings()).headers()
    told = MODEL.model_dump() | {"fingerprint": fingerprint, "space": space or ""}
    if space is None:
        del headers["X-Model-Space"], told["space"]
    return [Description.read(headers).space, ModelInfo.model_validate(told).space]


def test_tokens_are_estimated_from_bytes_or_counted_as_ids() -> None:
    """Four bytes a token; special ones are added to each input, which is cut off at the longest."""
    assert estimate(["abcdefgh", "你好你好", [7, 8, 9]], special=2, longest=256) == 4 + 5 + 5
    assert estimate(["a" * 4000, [1] * 300], special=2, longest=256) == 512


@pytest.mark.parametrize(
    ("header", "tokens"),
    [("65536", 65536), (None, 0), ("", 0), ("-1", 0), ("1e3", 0), ("٣", 0), ("9" * 15, MOST_TOKENS), ("9" * 16, 0)],
)
def test_a_header_that_is_no_number_of_tokens_says_nothing(header: str | None, tokens: int) -> None:
    """Whatever a client sends, it is a number of bounded size."""
    assert stated_tokens(header) == tokens


@pytest.mark.parametrize(
    ("inputs", "field", "code"),
    [(["four", "fives"], "texts.1", "text_too_long"), ([[1, 2], [3, 10, 11]], "texts.1.1", "unknown_token_id")],
)
def test_a_bad_input_is_named(inputs: list[str] | list[list[int]], field: str, code: str) -> None:
    """The error has the place of the first input, and of the first id, that is over the limit, and the limit."""
    with pytest.raises(
        BadRequest, match=rf"{field} (has 5 characters; the limit is 4|is 10; the largest id .* 9)$"
    ) as caught:
        check_inputs(inputs, lambda index: f"texts.{index}", characters=4, vocabulary=10)
    assert (caught.value.param, caught.value.code) == (field, code)


def test_inputs_within_the_limits_pass() -> None:
    """The limits themselves are allowed."""
    check_inputs(["four", [9]], str, characters=4, vocabulary=10)


def test_a_call_waits_in_the_lane_of_its_size_unless_it_asks_for_one() -> None:
    """Up to a batch of the worker it is interactive, beyond that bulk; the header says it in words."""
    assert [by_size(0), by_size(LARGE), by_size(LARGE + 1)] == [Lane.INTERACTIVE, Lane.INTERACTIVE, Lane.BULK]
    assert [asked({}), asked({"X-Priority": "bulk"}), asked({"X-Priority": "interactive"})] == [
        None,
        Lane.BULK,
        Lane.INTERACTIVE,
    ]


@pytest.mark.parametrize("value", ["", "Bulk", "high", "bulk,interactive"])
def test_another_lane_is_an_error_that_names_the_lanes(value: str) -> None:
    """The message has the header and what it may be; the value is not echoed."""
    with pytest.raises(BadRequest, match=r"X-Priority must be interactive or bulk$") as error:
        asked({"X-Priority": value})
    assert error.value.param == "X-Priority"


@pytest.mark.parametrize(
    ("texts", "name", "seen"),
    [
        ({}, "query", ""),
        ({}, "document", ""),
        ({"query": "q: ", "document": "d: "}, "query", "q: "),
        ({"query": "q: ", "document": "d: "}, "document", "d: "),
        ({"query": "q: ", "document": "", "passage": "p: "}, "document", "p: "),
        ({"corpus": "c: "}, "document", "c: "),
        ({"query": "q: "}, "document", ""),
        ({"query": "q: "}, "none", ""),
        ({"query": "q: "}, None, ""),
        ({"none": "n: "}, "none", "n: "),
    ],
)
def test_a_role_finds_its_prompt_under_the_names_that_models_give_it(
    texts: dict[str, str], name: str | None, seen: str
) -> None:
    """Queries, documents and none are known to every model; documents are passages, too."""
    assert Prompts(texts=texts).text(name, "prompt") == seen


def test_without_a_name_the_models_default_prompt_is_used() -> None:
    """As in the model's own library; a query gets its own, or none."""
    prompts = Prompts(texts={"sort": "s: "}, default="sort")
    assert [prompts.text(name, "prompt") for name in (None, "query", "document", "sort")] == ["s: ", "", "", "s: "]
