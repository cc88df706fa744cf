"""A running system behind one interface, whatever runs it: see `stack.interface`.

from stack import EmbeddedStack, free_ports

with EmbeddedStack(root=tmp_path, ports=free_ports(), parts=("postgres", "valkey")) as stack:
    stack.pause("postgres")
"""

from stack.compose import ComposeStack
from stack.embedded import EmbeddedStack
from stack.errors import ImagesError, StackError
from stack.interface import PARTS, Part, PartStatus, Stack
from stack.kubernetes import KubernetesStack
from stack.port_claims import free_ports
from stack.waiting import until, until_async

__all__ = [
    "PARTS",
    "ComposeStack",
    "EmbeddedStack",
    "ImagesError",
    "KubernetesStack",
    "Part",
    "PartStatus",
    "Stack",
    "StackError",
    "free_ports",
    "until",
    "until_async",
]
