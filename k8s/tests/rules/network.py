"""Who reaches whom, computed from the NetworkPolicies as a cluster would."""

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit

from k8s.tests.rules.manifest import Manifest, Object, Pod, matches, name

DNS = {53: "kube-system", 5353: "openshift-dns"}  # where OpenShift's pods listen, behind port 53 of their Service
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
MONITORING = "monitoring"
# Client, server, port: all that is needed between pods, as far as they are in the manifest.
PATHS = {
    ("api", "worker", 8001),
    ("api", "worker-next", 8001),
    ("reindex", "worker", 8001),
    ("reindex", "worker-next", 8001),
    ("reindex", "postgres", 5432),
    ("api", "postgres", 5432),
    ("api", "valkey", 6379),
    ("migrate", "postgres", 5432),
    ("api", "chat", 8003),
}
RESOLVING = {"api", "migrate", "reindex"}  # they know others by name
WORKERS = {"worker", "worker-next"}
STORES = {5432, 6379}
NARROW = 16  # bits of a network's address: clusters have 10.0.0.0/8 for their pods, or a part of it
FRONT_DOOR = ("api", 8000)


def everything_is_denied_first(manifest: Manifest) -> Iterator[str]:
    """A pod that no policy selects talks to everybody."""
    for each in manifest.of("NetworkPolicy"):
        spec = each["spec"]
        everybody = spec["podSelector"] == {} and {"Ingress", "Egress"} <= set(spec["policyTypes"])
        if everybody and not spec.get("ingress") and not spec.get("egress"):
            return
    yield "there is no NetworkPolicy that denies everything to all pods"


def pods_reach_what_they_need_and_no_more(manifest: Manifest) -> Iterator[str]:
    """Both ends must agree: egress of the one, ingress of the other."""
    there = {pod.name for pod in manifest.pods}
    needed = {path for path in PATHS if {path[0], path[1]} <= there}
    ports = {port for _, _, port in PATHS} | {FRONT_DOOR[1]}
    for client in manifest.pods:
        for server in manifest.pods:
            for port in ports:
                path = (client.name, server.name, port)
                open_ = _leaves(manifest, client, server, port) and _enters(manifest, client, server, port)
                if open_ and path not in needed:
                    yield f"{client.name} may reach {server.name}:{port}, which it doesn't need"
                if path in needed and not open_:
                    yield f"{client.name} must reach {server.name}:{port}"


def names_can_be_resolved(manifest: Manifest) -> Iterator[str]:
    """Over UDP, and over TCP for what doesn't fit."""
    for pod in manifest.pods:
        found = {
            port.get("protocol", "TCP")
            for rule in _rules(manifest, pod, "egress")
            for port in rule.get("ports", [])
            if _namespaces(rule.get("to", [])) == {DNS.get(port.get("port"))}
        }
        resolving = pod.name in RESOLVING or COLLECTOR in manifest.environment(pod)
        if resolving and found != {"UDP", "TCP"}:
            servers = ", or ".join(f"{port} of {namespace}" for port, namespace in DNS.items())
            yield f"{pod}: must reach port {servers} over UDP and TCP, not {sorted(found)}"
        if not resolving and found:
            yield f"{pod}: needs no names, but may ask for some"


def only_to_external_servers_out_of_the_cluster(manifest: Manifest) -> Iterator[str]:
    """A pod that was broken into should find nobody to call; stores of other ports than usual need their addresses."""
    stores_inside = bool({"postgres", "valkey"} & {pod.name for pod in manifest.pods})
    for pod in manifest.pods:
        servers = _chat_ports(manifest, pod)
        asks_outside = pod.name in RESOLVING and not stores_inside
        if asks_outside:
            servers |= STORES
        for rule in _rules(manifest, pod, "egress"):
            ports = {each.get("port") for each in rule.get("ports", [])}
            outside = not rule.get("to") or any("ipBlock" in peer for peer in rule["to"])
            known = ports <= servers or (asks_outside and _names_addresses(rule))
            if outside and not (ports and None not in ports and known):
                yield f"{pod}: may call the world on ports {sorted(map(str, ports)) or 'of any number'}"


def _names_addresses(rule: Object) -> bool:
    """Whether it is for some addresses: those of a network of servers, not of the cluster, and not for all."""
    blocks = [ip_network(peer["ipBlock"]["cidr"]) for peer in rule.get("to", []) if "ipBlock" in peer]
    return bool(blocks) and all(block.prefixlen >= NARROW for block in blocks)


def _chat_ports(manifest: Manifest, pod: Pod) -> set[int]:
    """The port of the api's chat server, if that is no Service of ours."""
    url = urlsplit(manifest.environment(pod).get("CHAT_URL", ""))
    if not url.hostname or manifest.get("Service", url.hostname):
        return set()
    return {_port(url)}


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def traces_reach_their_collector(manifest: Manifest) -> Iterator[str]:
    """A collector `http://NAME.NAMESPACE:PORT`: without a way to it the spans are lost, and nothing else shows it."""
    for pod in manifest.services:
        url = urlsplit(manifest.environment(pod).get(COLLECTOR, ""))
        _, _, domain = (url.hostname or "").partition(".")
        namespace = domain.partition(".")[0]
        ways = (rule for rule in _rules(manifest, pod, "egress") if _namespaces(rule.get("to", [])) == {namespace})
        if url.hostname and not any(_has(rule, _port(url)) for rule in ways):
            yield f"{pod}: may not reach port {_port(url)} of the namespace {namespace}, where {COLLECTOR} is"


def clients_and_prometheus_come_in(manifest: Manifest) -> Iterator[str]:
    """Everybody to the api; to the workers' metrics only who scrapes them."""
    for pod in manifest.services:
        rules = list(_rules(manifest, pod, "ingress"))
        if pod.name == FRONT_DOOR[0] and not any(_has(rule, FRONT_DOOR[1]) and not rule.get("from") for rule in rules):
            yield f"{pod}: nobody can reach the front door"
        if pod.name in WORKERS:
            scrapers = {each for rule in rules if _has(rule, 8001) for each in _namespaces(rule.get("from", []))}
            if scrapers != {MONITORING}:
                yield f"{pod}: its metrics are open to the namespaces {sorted(scrapers)}, not to {MONITORING} alone"


def _rules(manifest: Manifest, pod: Pod, direction: str) -> Iterator[Object]:
    for each in manifest.of("NetworkPolicy"):
        if matches(each["spec"]["podSelector"], pod.labels):
            yield from each["spec"].get(direction) or []


def _isolated(manifest: Manifest, pod: Pod, kind: str) -> bool:
    specs = (each["spec"] for each in manifest.of("NetworkPolicy"))
    return any(matches(each["podSelector"], pod.labels) and kind in each["policyTypes"] for each in specs)


def _leaves(manifest: Manifest, client: Pod, server: Pod, port: int) -> bool:
    rules = _rules(manifest, client, "egress")
    return not _isolated(manifest, client, "Egress") or any(_allows(rule, "to", server, port) for rule in rules)


def _enters(manifest: Manifest, client: Pod, server: Pod, port: int) -> bool:
    # From everywhere is for the front door's clients; among pods it counts as from nobody.
    rules = (rule for rule in _rules(manifest, server, "ingress") if rule.get("from"))
    return not _isolated(manifest, server, "Ingress") or any(_allows(rule, "from", client, port) for rule in rules)


def _allows(rule: Object, end: str, pod: Pod, port: int) -> bool:
    peers = rule.get(end, [])
    chosen = any("podSelector" in peer and matches(peer["podSelector"], pod.labels) for peer in peers)
    return _has(rule, port) and (not peers or chosen)


def _has(rule: Object, port: int) -> bool:
    return "ports" not in rule or any(each.get("port") == port for each in rule["ports"])


def _namespaces(peers: list[Object]) -> set[str]:
    labels = [peer["namespaceSelector"].get("matchLabels", {}) for peer in peers if "namespaceSelector" in peer]
    return {each.get("kubernetes.io/metadata.name", "any") for each in labels}


def ports_name_their_protocol(manifest: Manifest) -> Iterator[str]:
    """The API server adds TCP; kubectl replaces the whole list then, in each apply, and calls the policy configured."""
    for each in manifest.of("NetworkPolicy"):
        for direction in ("ingress", "egress"):
            for rule in each["spec"].get(direction) or []:
                if not all("protocol" in port for port in rule.get("ports", [])):
                    yield f"{name(each)}: a port of {direction} has no protocol"


RULES = (
    everything_is_denied_first,
    pods_reach_what_they_need_and_no_more,
    names_can_be_resolved,
    only_to_external_servers_out_of_the_cluster,
    traces_reach_their_collector,
    clients_and_prometheus_come_in,
    ports_name_their_protocol,
)
