"""The measurement of keys' times: its statistic, and that it runs."""

from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from loadtest.keys.__main__ import SAME, UndecidedError, api, conclude, main
from loadtest.keys.statistic import Comparison, compare
from loadtest.keys.tries import over_http
from stack.tests.server import reply, serving


def test_times_of_one_kind_are_not_told_apart() -> None:
    """And those that are longer by a tenth of their spread are, by 10,000 tries of each; so are equal ones by none."""
    drawn = np.random.default_rng(7).normal(10_000, 1_000, (2, 10_000)).astype(np.int64)
    alike, longer = compare(drawn[0], drawn[1]), compare(drawn[0], drawn[1] + 100)
    assert not alike.told_apart()
    assert longer.told_apart()
    assert longer.auc > alike.auc
    assert compare(drawn[0][:10] * 0, drawn[1][:10] * 0).p == 1.0


def test_the_statistic_is_that_of_mann_and_whitney() -> None:
    """By hand: of 3 x 4 pairs the second time is longer in 7, and equal in 2."""
    found = compare(np.array([1, 3, 5]), np.array([2, 3, 5, 9]))
    assert found.auc == pytest.approx((7 + 2 / 2) / 12)


def test_the_measurement_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """With few tries; whether it tells keys apart is no matter of a test on a busy machine."""
    main(["--tries", "50", "--known", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "the check, 50 tries each, wrong keys and nearly right ones",
        "the check, 50 tries each, wrong keys and other wrong ones",
        "over loopback, 50 tries each, wrong keys and right ones",
        "over loopback, 50 tries each, wrong keys and nearly right ones",
        "over loopback, 50 tries each, wrong keys and other wrong ones",
    ]


def test_many_comparisons_bear_the_risk_of_one() -> None:
    """What is told apart alone, at p = 0.005, is not among five; wrong keys from wrong ones decide nothing."""
    likely, certain, none = (Comparison((1.0, 1.0), 0.5, 0.01, p) for p in (0.005, 1e-9, 0.5))
    assert likely.told_apart()
    assert not likely.told_apart(among=5)
    assert conclude({"the check": {"nearly right": none, SAME: none}}, 1) == 0
    assert conclude({"the check": {"nearly right": certain, SAME: none}}, 1) == 1
    assert conclude({"the check": {"nearly right": certain, SAME: certain}}, 1) == 2


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [(401, 401, "401 for the key"), (404, 404, "404 for the key"), (200, 200, "200 instead of 401")],
)
def test_an_api_that_checks_no_key_is_not_passed(right: int, wrong: int, said: str) -> None:
    """Another key, another port, or no keys at all."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        paths.add(handler.path)
        reply(handler, right if handler.headers["Authorization"] == "Bearer wsk_right" else wrong)

    paths: set[str] = set()
    with serving(answer) as url, pytest.raises(UndecidedError, match=said):
        api(f"{url}/behind", b"wsk_right", tries=2, seed=1)
    assert paths == {"/behind/v1/models"}


def test_the_key_is_not_sent_to_a_url_that_is_not_understood() -> None:
    """Nor in clear text to port 80 for https."""
    asked: list[str] = []
    with serving(lambda handler: asked.append(handler.path)) as url, pytest.raises(OSError, match=r"(?i)ssl"):
        api(url.replace("http:", "https:"), b"wsk_right", tries=2, seed=1)
    with pytest.raises(ValueError, match="understood"):
        over_http("127.0.0.1:80")
    assert asked == []
