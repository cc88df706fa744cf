"""Each rule is seen failing: the smallest change to a rendered overlay that it is there to refuse."""

from collections.abc import Callable

import pytest

from k8s.tests.examples import EXAMPLES
from k8s.tests.examples.changes import Example, put, setting, stores
from k8s.tests.rendering import K8S, kustomizations, render
from k8s.tests.rules import RULES, Rule, network, security

pytestmark = pytest.mark.kubectl


def cases() -> list[object]:
    """Rule, overlay, change and part of the message."""
    return [
        pytest.param(rule, *example, id=f"{rule.__name__}-{number}")
        for rule, examples in EXAMPLES.items()
        for number, example in enumerate(examples)
    ]


@pytest.mark.parametrize(("rule", "overlay", "change", "message"), cases())
def test_it_refuses(rule: Rule, overlay: str, change: Callable[..., None], message: str) -> None:
    """The message names the object and says what is wrong."""
    manifest = render(kustomizations()[overlay])
    assert list(rule(manifest)) == []
    change(manifest)
    complaints = list(rule(manifest))
    assert complaints
    assert any(message in complaint for complaint in complaints), complaints


@pytest.mark.parametrize(
    "name",
    [
        *("TOKEN_IDS", "MAX_QUEUE_TOKENS", "MAX_BATCH_TOKENS", "MAX_INPUTS"),
        *("CHAT_TOKEN_TIMEOUT", "CHAT_FIRST_TOKEN_TIMEOUT", "SECRETS_FROM", "SECRETS_TIMEOUT"),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(name: str) -> None:
    """A setting about the tokens of a text, or about the vault that secrets come from, may stand in a manifest."""
    manifest = render(K8S / "overlays" / "local")
    setting(name, "1")(manifest)
    assert list(security.secrets_are_references(manifest)) == []


def test_a_store_may_have_any_port_at_an_address() -> None:
    """A pooler in front of Postgres listens on another port than Postgres."""
    manifest = render(K8S / "overlays" / "production")
    put("NetworkPolicy", "to-external-stores", "spec/egress", stores("192.0.2.7/32"))(manifest)
    assert list(network.only_to_external_servers_out_of_the_cluster(manifest)) == []


def test_every_rule_has_an_example() -> None:
    """A rule that nothing breaks may be one that can't fail."""
    assert set(EXAMPLES) == set(RULES)
    assert all(isinstance(example, Example) for examples in EXAMPLES.values() for example in examples)
