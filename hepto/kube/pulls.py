"""Why an image cannot be pulled when the network is the reason: what kubelet says of its pods, and what it means. Pure.

Many registries have no IPv6 address. containerd then says "network is unreachable" of an IPv4 address, in a pod's
status, where nobody looks who waits for a node. A pull that fails for another reason (no such image, no permission) is
the user's and not named here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Network
from typing import Any
from urllib.parse import quote

from hepto.kube.health import Probe
from hepto.kube.parameters import KubeParameters
from init.contract.status import Reason

INTERVAL = 30.0
"""Seconds between two looks at the node's pods."""
MAX_HOSTS = 4
LONGEST_MESSAGE = 4096
WAITING = ("ErrImagePull", "ImagePullBackOff")
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")

# What Go's net package and the kernel call it.
_NO_ADDRESS = ("no such host", "no suitable address", "server misbehaving")
_NO_ROUTE = ("network is unreachable", "no route to host", "cannot assign requested address", "i/o timeout")
_LOOKUP = re.compile(r"\blookup ([A-Za-z0-9.-]{1,253})[ :]")
_URL = re.compile(r"https?://([A-Za-z0-9.-]{1,253})[:/]")


class Addresses(Enum):
    """What the node's resolver has for a host name."""

    IPV6 = "IPv6"
    ONLY_IPV4 = "only IPv4"
    NONE = "none"
    UNANSWERED = "no answer"


@dataclass(frozen=True)
class Failure:
    """`image` could not be pulled because `host`, a registry or where it leads to, was not found or not reached."""

    image: str
    host: str
    message: str
    """The end of containerd's, fit to be printed."""


@dataclass(frozen=True)
class Trouble:
    """What `hepto status` says: see init.contract.status.Wait."""

    reason: Reason
    subject: str
    what: str
    hint: str


def probe(parameters: KubeParameters) -> Probe:
    """Asks for this node's pods, which the kubelet's own certificate may list; as the apiserver remembers them."""
    certificates = parameters.certificates
    selector = quote(f"spec.nodeName={parameters.node}")
    return Probe(
        service="kubelet",
        url=f"{parameters.api_url}/api/v1/pods?fieldSelector={selector}&resourceVersion=0",
        authority=certificates.authority(),
        pair=certificates.pair("kubelet-client"),
    )


def failures(body: bytes) -> tuple[Failure, ...]:
    """Of a PodList: the first failure of each host, at most MAX_HOSTS. What is no PodList has none."""
    found: dict[str, Failure] = {}
    try:
        for image, message in _waiting(json.loads(body)):
            failure = recognise(image, message)
            if failure is not None and len(found) < MAX_HOSTS:
                found.setdefault(failure.host, failure)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()
    return tuple(found.values())


def recognise(image: str, message: str) -> Failure | None:
    """What a container's waiting message says, if it is that the network is in the way."""
    message = message[-LONGEST_MESSAGE:]
    if not any(words in message for words in (*_NO_ADDRESS, *_NO_ROUTE)):
        return None
    looked_up, urls = _LOOKUP.findall(message), _URL.findall(message)
    host = (looked_up or urls or [_registry(image)])[-1]  # the last is where redirects led to
    return Failure(_printable(image), host, _printable(message.rpartition(": ")[2]))


def explain(failure: Failure, addresses: Addresses, nat64: IPv6Network | None) -> Trouble:
    """What it waits for and what to do, by what the node's resolver has for the host."""
    host, image = failure.host, failure.image
    mirror = f"give a mirror that has one: hepto.registry-mirrors={_registry(image)}=https://…"
    match addresses:
        case Addresses.ONLY_IPV4 if nat64 is not None:
            what = f"{host} has no IPv6 address (no AAAA record), and the resolver makes none for NAT64 {nat64}"
            return Trouble(Reason.RESOLVER, image, what, f"let hepto.dns be a resolver with DNS64, or {mirror}")
        case Addresses.ONLY_IPV4:
            what = f"{host} has no IPv6 address (no AAAA record), and the network no NAT64 prefix"
            return Trouble(Reason.IMAGE, image, what, f"{mirror}, or let the router offer NAT64")
        case Addresses.NONE:
            what, hint = f"{host} has no address", "look whether the image's name is right, and the resolver's answer"
            return Trouble(Reason.RESOLVER, image, what, hint)
        case Addresses.UNANSWERED:
            return Trouble(Reason.RESOLVER, image, f"no resolver answers for {host}", "give hepto.dns one that does")
        case Addresses.IPV6:
            what = f"{host} has an IPv6 address, but is not reached: {failure.message}"
            return Trouble(Reason.IMAGE, image, what, "it is tried again; look at the way from here to it")


def _waiting(pods: Any) -> Iterator[tuple[str, str]]:  # JSON
    """Image and message of every container that waits for its image."""
    for pod in pods["items"]:
        status = pod.get("status") or {}
        for containers in (status.get(kind) or () for kind in STATUSES):
            for container in containers:
                waiting = (container.get("state") or {}).get("waiting") or {}
                if waiting.get("reason") in WAITING:
                    yield str(container["image"]), str(waiting.get("message", ""))


def _printable(text: str) -> str:
    """Whoever may make pods chooses the words, and a console takes more than words."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])


def _registry(image: str) -> str:
    """The host in an image's name: what stands before the first slash and is no plain word, else docker.io."""
    host, slash, _ = image.partition("/")
    return host if slash and (any(mark in host for mark in ".:") or host == "localhost") else "docker.io"
