"""Chats: streams that outlive a rollout, a chat server that fails, clients that leave."""

from drills.row import STEADY, Control, Row
from drills.rows.common import NETWORK, TWO_PODS, UNAVAILABLE

ROWS = (
    Row(
        "chat_rolling",
        "A rolling restart of two apis cuts none of 50 open streams, and fails none of the chats that come meanwhile.",
        "two apis are replaced, one after the other, under streams of 9.5 s; drain + REQUEST_TIMEOUT of each are 15 s",
        probes={"api": STEADY},
        bites=("they are replaced", "50 streams are open", "chats come before, during and after"),
        cluster="new pods one after the other, beside the old ones; the watch goes on at another when its own is gone",
        elsewhere={"compose": {"probes": {"api": NETWORK}}, "kubernetes": {"probes": {"api": TWO_PODS}}},
        restarts=None,
        settings={"api": {"DRAIN_SECONDS": "5", "CHAT_TOKEN_TIMEOUT": "60"}},
        chat=True,
        control=Control("the drain", breaks="no stream is cut", patches={"api": "no_drain"}),
    ),
    Row(
        "chat_upstream",
        "A chat server that is slow, silent, cut, full, broken or gone ends chats with typed errors, and nothing else.",
        "switches of the server, one after the other, then it is stopped, and started again; limits of the api: 1 s",
        probes={"api": STEADY},
        bites=("clients", "the check sees that it is gone"),
        cluster="the server is a pod of its own; without one, its Service refuses",
        clients=(
            "504 chat_timeout",
            "200 chat_timeout",
            "502 chat_broken",
            "200 chat_broken",
            "429 chat_rate_limited",
            "502 chat_failed",
            UNAVAILABLE,
        ),
        radius=("chat",),
        settings={"api": {"CHAT_FIRST_TOKEN_TIMEOUT": "1", "CHAT_TOKEN_TIMEOUT": "1"}},
        chat=True,
        control=Control(
            "the limit between two tokens",
            breaks="silence ends in a typed error",
            settings={"api": {"CHAT_TOKEN_TIMEOUT": "600"}},
            bites=(),  # chats wait, and end well when the server speaks again
        ),
    ),
    Row(
        "chat_clients_leave",
        "When 200 clients leave their streams, the api cancels all 200 calls to the chat server.",
        "200 streams are open, of which one token has come, and their connections are closed",
        probes={"api": STEADY},
        bites=("200 calls are open",),
        cluster="nothing is different: the load goes to the only pod",
        settings={"api": {"MAX_CHATS": "250", "CHAT_TOKEN_TIMEOUT": "60"}},
        chat=True,
        control=Control(
            "noticing that clients leave", breaks="their calls are cancelled", patches={"api": "chats_go_on"}
        ),
    ),
)
