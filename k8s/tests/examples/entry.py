"""Changes that the rules about ways in refuse."""

from k8s.tests.examples.changes import Change, Example, added, both, local, production, put, setting
from k8s.tests.rules import Rule, entry
from k8s.tests.rules.manifest import Object


def route(path: str = "/v1", wait: str = "15s", to: str = "api", port: int = 8000, chats: str | None = None) -> Change:
    """A route of a Gateway, with another limit for `chats`."""
    rules = [_rule("PathPrefix", path, wait, to, port)]
    rules += [_rule("Exact", "/v1/chat/completions", chats, to, port)] if chats else []
    return added({"kind": "HTTPRoute", "spec": {"rules": rules}})


def _rule(kind: str, path: str, wait: str, to: str, port: int) -> Object:
    return {
        "matches": [{"path": {"type": kind, "value": path}}],
        "timeouts": {"request": wait},
        "backendRefs": [{"name": to, "port": port}],
    }


def headless(**more: object) -> Change:
    """The worker's Service loses its address."""
    change: Change = put("Service", "worker", "spec/clusterIP", "None")
    for key, value in more.items():
        change = both(change, put("Service", "worker", f"spec/{key}", value))
    return change


ENTRY: dict[Rule, list[Example]] = {
    entry.routes_lead_to_the_api: [
        production(route(to="worker", port=8001), "HTTPRoute/added: leads to worker:8001, which is no port of"),
        production(route(port=80), "leads to api:80, which is no port"),
    ],
    entry.routes_show_the_api_only: [
        production(route(path="/"), "HTTPRoute/added: opens / to the world"),
        production(route(path="/v1beta"), "opens /v1beta to the world"),
    ],
    entry.routes_wait_for_the_service: [
        production(route(wait="10s"), "HTTPRoute/added: must wait longer than REQUEST_TIMEOUT, 10 s"),
        production(both(route(), setting("REQUEST_TIMEOUT", "20")), "must wait longer than REQUEST_TIMEOUT, 20 s"),
    ],
    entry.routes_let_chats_end: [
        production(route(), "must wait for /v1/chat/completions longer than REQUEST_TIMEOUT + CHAT_TIMEOUT, 310 s"),
        production(route(wait="20m", chats="310s"), "HTTPRoute/added: must wait for /v1/chat/completions longer than"),
        production(both(route(chats="330s"), setting("CHAT_TIMEOUT", "600")), "REQUEST_TIMEOUT + CHAT_TIMEOUT, 610 s"),
    ],
    entry.routes_pass_on_who_asks: [
        production(route(), "FORWARDED_ALLOW_IPS is 127.0.0.1, not the network of the Gateway's pods"),
        production(both(route(), setting("FORWARDED_ALLOW_IPS", "*")), "FORWARDED_ALLOW_IPS is *"),
    ],
    entry.headless_services_are_the_pods: [
        local(headless(ports=[{"port": 80, "targetPort": "http"}]), "Service/worker: nothing translates port 80"),
        local(headless(publishNotReadyAddresses=True), "Service/worker: names pods that are not ready"),
        local(headless(trafficDistribution="PreferSameZone"), "has no connections to distribute"),
    ],
}
