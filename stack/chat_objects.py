"""The stand-in for a chat model in a cluster: the objects of k8s/components/chat-demo, with its program."""

from collections.abc import Iterable, Mapping

from stack import demo_chat
from stack.chat import PORT
from stack.interface import CHAT
from stack.manifests import Object, program

COMPONENT = "chat-demo"


def settings() -> Mapping[str, str]:
    """The api's, that lead it there."""
    return demo_chat.settings(f"http://{CHAT}:{PORT}")


def filled(found: Iterable[Object]) -> list[Object]:
    """All objects, with the program where its ConfigMap is among them."""
    objects = list(found)
    for each in objects:
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", CHAT):
            each["data"] = program(CHAT)["data"]
    return objects


def alone(found: Iterable[Object]) -> list[Object]:
    """Its own objects, before its first start: without a replica."""
    own = [each for each in filled(found) if each["metadata"]["name"] == CHAT]
    for each in (one for one in own if one["kind"] == "Deployment"):
        each["spec"]["replicas"] = 0
    return own
