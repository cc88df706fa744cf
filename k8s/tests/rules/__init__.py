"""What every rendered overlay has to obey: one function a rule, whose messages say what is wrong and why it matters."""

from collections.abc import Callable, Iterator

from k8s.tests.rules import entry, flags, network, optional, probes, queue, scaling, security, stopping, wiring
from k8s.tests.rules.manifest import Manifest

Rule = Callable[[Manifest], Iterator[str]]

RULES: tuple[Rule, ...] = (
    *probes.RULES,
    *stopping.RULES,
    *security.RULES,
    *network.RULES,
    *scaling.RULES,
    *wiring.RULES,
    *optional.RULES,
    *queue.RULES,
    *entry.RULES,
    *flags.RULES,
)
