"""Changes that the rules about feature flags refuse."""

from k8s.tests.examples.changes import Change, Example, both, put
from k8s.tests.rules import Rule, flags

FILE = "/etc/warmstart/flags/flags.json"
MOUNTS = "spec/template/spec/containers/0/volumeMounts"


def flagged(change: Change, message: str) -> Example:
    """Of the production overlay with flags."""
    return Example("flags", change, message)


def text(content: str) -> Change:
    """Other flags."""
    return put("ConfigMap", "api-flags", "data/flags.json", content)


FLAGS: dict[Rule, list[Example]] = {
    flags.flags_reach_running_pods: [
        flagged(put("Deployment", "api", f"{MOUNTS}/0/mountPath", "/etc/flags"), f"{FILE}, which no mounted ConfigMap"),
        flagged(
            both(
                put("Deployment", "api", f"{MOUNTS}/0/mountPath", FILE),
                put("Deployment", "api", f"{MOUNTS}/0/subPath", "flags.json"),
            ),
            f"{FILE} is mounted with subPath, and never changes",
        ),
        flagged(
            both(
                put("ConfigMap", "api-flags", "metadata/name", "api-flags-7gh2k9m4bt"),
                put("Deployment", "api", "spec/template/spec/volumes/0/configMap/name", "api-flags-7gh2k9m4bt"),
            ),
            "ConfigMap/api-flags-7gh2k9m4bt has another name after each change",
        ),
    ],
    flags.flags_can_be_read: [
        flagged(text('{"exact_search": "false"}'), "flags.json: exact_search: Input should be a valid boolean"),
        flagged(text('{"exact_serach": true}'), "flags.json: nothing reads exact_serach"),
    ],
}
