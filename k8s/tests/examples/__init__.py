"""For each rule, changes that it must refuse: which overlay, what is done to it, what the message says."""

from k8s.tests.examples import confinement, entry, flags, optional, serving, shape, signals
from k8s.tests.examples.changes import Example
from k8s.tests.rules import Rule

EXAMPLES: dict[Rule, list[Example]] = {
    **serving.PROBES,
    **serving.STOPPING,
    **confinement.SECURITY,
    **confinement.NETWORK,
    **shape.SCALING,
    **shape.WIRING,
    **optional.OPTIONAL,
    **signals.QUEUE,
    **entry.ENTRY,
    **flags.FLAGS,
}
