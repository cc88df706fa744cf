"""Ways in that components add: a route of a Gateway, a Service without an address of its own."""

import math
import re
from collections.abc import Iterator

from k8s.tests.rules.manifest import Manifest, Object, Pod, matches, name
from k8s.tests.rules.server import server_of

DURATION = re.compile(r"(\d+)(ms|s|m|h)")  # of the Gateway API
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
CHATS = "/v1/chat/completions"
NO_RANK = (False, 0)
NOBODYS = {"127.0.0.1", "*"}  # the default, and everybody


def routes_lead_to_the_api(manifest: Manifest) -> Iterator[str]:
    """A Gateway answers 500 for a Service that isn't there; and only the api asks for keys."""
    for route, rule in _rules(manifest):
        for backend in rule.get("backendRefs", []):
            service = manifest.get("Service", backend["name"])
            ports = {port["port"] for port in service["spec"]["ports"]} if service else set()
            target = f"{backend['name']}:{backend.get('port')}"
            if backend["name"] != "api" or backend.get("port") not in ports:
                yield f"{name(route)}: leads to {target}, which is no port of Service/api"


def routes_show_the_api_only(manifest: Manifest) -> Iterator[str]:
    """Probes, metrics and documentation need no key: the world gets /v1."""
    for route, rule in _rules(manifest):
        for path in (match.get("path", {}).get("value", "/") for match in rule.get("matches", [{}])):
            if not f"{path}/".startswith("/v1/"):
                yield f"{name(route)}: opens {path} to the world"


def routes_wait_for_the_service(manifest: Manifest) -> Iterator[str]:
    """Who waits less gives up on answers that come, and hides the service's own 504 from the client."""
    for route, rule in _rules(manifest):
        for pod in _apis(manifest):
            limit = server_of(pod.image, manifest.environment(pod)).settings.request_timeout
            if _wait(rule) <= limit:
                yield f"{name(route)}: must wait longer than REQUEST_TIMEOUT, {limit:g} s"


def routes_let_chats_end(manifest: Manifest) -> Iterator[str]:
    """Who waits less than a chat may take, its search and its answer, cuts streams in the midst of a word."""
    for route in manifest.of("HTTPRoute"):
        rank, wait = max(
            (_rank(match), _wait(rule)) for rule in route["spec"]["rules"] for match in rule.get("matches", [{}])
        )
        for pod in _apis(manifest):
            settings = server_of(pod.image, manifest.environment(pod)).settings.model_dump()
            longest = settings["request_timeout"] + settings["chat_timeout"]
            if rank > NO_RANK and wait <= longest:
                yield f"{name(route)}: must wait for {CHATS} longer than REQUEST_TIMEOUT + CHAT_TIMEOUT, {longest:g} s"


def routes_pass_on_who_asks(manifest: Manifest) -> Iterator[str]:
    """Without FORWARDED_ALLOW_IPS the Gateway is the one client of all, and QUOTA is for all together."""
    for pod in _apis(manifest) if manifest.of("HTTPRoute") else ():
        believed = server_of(pod.image, manifest.environment(pod)).settings.forwarded_allow_ips
        if believed in NOBODYS:
            yield f"{pod}: FORWARDED_ALLOW_IPS is {believed}, not the network of the Gateway's pods"


def headless_services_are_the_pods(manifest: Manifest) -> Iterator[str]:
    """Clients get the pods' addresses: no port is translated, no zone preferred, and who isn't ready is left out."""
    for each in (found for found in manifest.of("Service") if found["spec"].get("clusterIP") == "None"):
        spec = each["spec"]
        if spec.get("trafficDistribution"):
            yield f"{name(each)}: has no connections to distribute by {spec['trafficDistribution']}"
        if spec.get("publishNotReadyAddresses"):
            yield f"{name(each)}: names pods that are not ready"
        for pod in (pod for pod in manifest.pods if matches({"matchLabels": spec["selector"]}, pod.labels)):
            listens = {port["containerPort"] for port in pod.main.get("ports", [])}
            for port in (found["port"] for found in spec["ports"] if found["port"] not in listens):
                yield f"{name(each)}: nothing translates port {port}, the pods listen on {sorted(listens)}"


def _rules(manifest: Manifest) -> Iterator[tuple[Object, Object]]:
    return ((route, rule) for route in manifest.of("HTTPRoute") for rule in route["spec"]["rules"])


def _wait(rule: Object) -> float:
    """Seconds; a limit of zero is none, and without a limit a Gateway has its own."""
    found = DURATION.findall(rule.get("timeouts", {}).get("request", ""))
    wait = sum(int(number) * SECONDS[unit] for number, unit in found)
    return math.inf if found and not wait else wait


def _rank(match: Object) -> tuple[bool, int]:
    """How a Gateway ranks this match for chats: an exact path before prefixes, a longer prefix before a shorter one."""
    path = match.get("path", {"value": "/"})
    exact, value = path.get("type") == "Exact", path["value"]
    fits = value == CHATS if exact else f"{CHATS}/".startswith(f"{value.rstrip('/')}/")
    return (exact, len(value)) if fits else NO_RANK


def _apis(manifest: Manifest) -> Iterator[Pod]:
    return (pod for pod in manifest.services if pod.image == "warmstart-api")


RULES = (
    routes_lead_to_the_api,
    routes_show_the_api_only,
    routes_wait_for_the_service,
    routes_let_chats_end,
    routes_pass_on_who_asks,
    headless_services_are_the_pods,
)
