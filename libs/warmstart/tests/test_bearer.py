"""Bearer tokens: which one a request has, and what is known under it."""

import pytest

from warmstart.http.bearer import Bearers, digest_of, token_of

HEADER = b"authorization"


@pytest.mark.parametrize(
    ("values", "token"),
    [
        ([b"Bearer abc"], b"abc"),
        ([b"bEARER  abc "], b"abc"),
        ([b"Bearer a b"], b"a b"),
        ([b"Bearer \xff\x00"], b"\xff\x00"),
        ([b"Bearer "], None),
        ([b"Bearer   "], None),
        ([b"Bearer"], None),
        ([b"Bearerabc"], None),
        ([b"Basic abc"], None),
        ([b"Bearer\tabc"], None),
        ([b""], None),
        ([], None),
        ([b"Bearer abc", b"Bearer abc"], None),
        ([b"Bearer abc", b""], None),
    ],
)
def test_the_token_of_a_request(values: list[bytes], token: bytes | None) -> None:
    """The scheme counts in any case; several headers are as good as none, since a proxy may have read another one."""
    assert token_of({"headers": [(b"host", b"x"), *((HEADER, each) for each in values)]}) == token


def test_known_tokens_are_found_until_they_are_replaced() -> None:
    """A value for each known token, None for all others, of any bytes and length."""
    bearers = Bearers([(digest_of("one"), 1), (digest_of("two"), 2)])
    strange = [b"", b"on", b"one ", b"One", b"\xff" * 8, b"\x00", b"x" * 30_000, digest_of("one")]
    assert [bearers.find(each) for each in (b"one", b"two", *strange)] == [1, 2, *[None] * len(strange)]
    bearers.replace([(digest_of("three"), 3)])
    assert [bearers.find(each) for each in (b"one", b"two", b"three")] == [None, None, 3]
    assert Bearers[int]().find(b"") is None
