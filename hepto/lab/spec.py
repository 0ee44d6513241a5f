"""What a lab consists of, as frozen values: nodes, their disks and options, addresses, the emulator. Pure.

A specification travels from command to holder as one JSON line over the leash, because it holds the cluster's key; it
is never written to a file that others may read, to an argument or to the environment.
"""

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from hepto.errors import ExitCode, UserError

LAB_NETWORK = IPv6Network("2001:db8:1::/64")
ROUTER_LINK_LOCAL = IPv6Address("fe80::1")
OUTSIDE_NETWORK = IPv6Network("2001:db8:2::/64")
OUTSIDE_ROUTER = IPv6Address("2001:db8:2::1")
OUTSIDE = IPv6Address("2001:db8:2::2")
DOMAIN = "lab.internal"
ONLY_IPV4 = f"ipv4-only.{DOMAIN}"
"""A name without an IPv6 address, as many registries have none. With NAT64 it leads to the host behind the router."""
IPV4 = IPv4Address("192.0.2.1")
NAT64 = IPv6Network("64:ff9b::/96")
"""The prefix that everybody may use (RFC 6052 section 2.1)."""
TRANSLATED = NAT64[int(IPV4)]
UPLINK = "up0"
LEAST_MTU = 1280
"""Of a link with IPv6 (RFC 8200 section 5)."""


@dataclass(frozen=True)
class Link:
    """A bridge with the router on it. All nodes begin on the first; the second is for nodes that move."""

    bridge: str
    network: IPv6Network
    """What the router advertises until it is renumbered."""
    hardware_address: bytes
    """Of the router. Given, for a bridge without one takes the lowest of its ports', and advertisements name it."""


LINKS = (
    Link("lab0", LAB_NETWORK, bytes.fromhex("525400000001")),
    Link("lab1", IPv6Network("2001:db8:3::/64"), bytes.fromhex("525400000002")),
)
BRIDGE = LINKS[0].bridge

NETBOOT, DISK, UKI, ISO, USB = FORMATS = ("netboot", "disk", "uki", "iso", "usb")
"""Formats of an image that a machine can be started from; the last two are the ISO image as a CD, and on a stick."""
MEDIA = (ISO, USB)
DISK_FILE, UKI_FILE, ISO_FILE = "disk.raw", "hepto.efi", "hepto.iso"

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
"""Names of labs and nodes: they become directories, interface names and DNS labels."""
PREFIX_HINT = "give a /64 such as 2001:db8:7::/64"
RESERVED = frozenset({"router", "outside"})
"""What `hepto lab exec` understands besides nodes."""


@dataclass(frozen=True)
class Emulator:
    """How QEMU is started. `trusted` is false for versions that corrupt guests under TCG (facts.md section 2)."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    version: tuple[int, ...] = ()
    accelerator: str = "tcg"
    firmware: str = ""
    """Directory of OVMF, UEFI for virtual machines; "": there is none."""

    @property
    def trusted(self) -> bool:
        """QEMU 7.2 tears cmpxchg16b and text patches under TCG; 10 was seen to be sound."""
        return self.accelerator != "tcg" or self.version >= (10,)


@dataclass(frozen=True)
class Node:
    """One virtual machine. `options` are words of the kernel command line, `credentials` SMBIOS strings by name."""

    name: str
    options: tuple[str, ...] = ()
    credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    memory: int = 2048
    """MiB."""
    cpus: int = 2
    disk: int = 8192
    """MiB of the (sparse) data disk; 0 for none."""
    disk_from: str = ""
    """A file whose content the data disk begins with."""
    record: str = ""
    """A file for the log of all that is written to the data disk since its machine was switched on, and of its flushes
    (Linux' dm-log-writes). Not a thing of `hepto lab up`: power cuts are made of it (bench/powercut.py)."""
    watchdog: bool = False
    """There is a hardware watchdog, which resets the machine. Not a thing of `hepto lab up`: where the host is so busy
    that the machine stands still, it would bite those who have done nothing."""
    on: bool = True
    """False: the machine is there and switched off."""
    format: str = NETBOOT
    """What of the image it is started from, one of FORMATS. With DISK its only disk begins with the disk image; with
    MEDIA its disk is blank, and firmware prefers that as soon as something is on it."""

    @property
    def uefi(self) -> bool:
        """True if firmware starts it, and not QEMU its kernel."""
        return self.format != NETBOOT

    @property
    def kubernetes(self) -> bool:
        """False if its options say that it runs none."""
        debug = [word.partition("=")[2] for word in self.options if word.startswith("hepto.debug=")]
        return not any("no-kube" in value.split(",") for value in debug)


@dataclass(frozen=True)
class Lab:
    name: str
    image: str
    emulator: Emulator
    nodes: tuple[Node, ...]
    cluster: str = "demo"
    """What the nodes' `hepto.cluster` says."""
    advertise: bool = True
    """False: the router is silent, as if there were none."""
    build: str = ""
    """Which build of the image it was made with."""
    asked: tuple[tuple[str, str], ...] = ()
    """What `hepto lab up` was told, flag and value, to compare with what it is told the next time. No secret."""

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """True if there is a node of that name."""
        return any(node.name == name for node in self.nodes)

    def identity(self, name: str, generation: int = 0) -> uuid.UUID:
        """The SMBIOS UUID of a node: the same whenever the lab is made again.

        `generation` counts how often its machine was replaced by another one.
        """
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{self.name}.{DOMAIN}{_machine(generation)}")

    def hardware_address(self, name: str, generation: int = 0) -> bytes:
        """A locally administered MAC address that follows from the names."""
        text = f"{self.name}/{name}{_machine(generation)}"
        return b"\x52\x54\x00" + hashlib.sha256(text.encode()).digest()[:3]

    def address(self, name: str, network: IPv6Network = LAB_NETWORK, generation: int = 0) -> IPv6Address:
        """The address that a node makes from the router's prefix and its MAC (modified EUI-64, RFC 4291 appendix A)."""
        mac = self.hardware_address(name, generation)
        identifier = bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]])
        return network[int.from_bytes(identifier, "big")]


def _machine(generation: int) -> str:
    return f"#{generation}" if generation else ""


def prefix(text: str) -> IPv6Network:
    """A prefix that the lab's router can advertise. Raises UserError."""
    try:
        network = IPv6Network(text)
    except ValueError as error:
        raise UserError(f"{text} is no prefix: {error}", PREFIX_HINT, ExitCode.USAGE) from None
    if network.prefixlen != 64:
        what = f"{text}: hosts make addresses from prefixes of 64 bits only"
        raise UserError(what, PREFIX_HINT, ExitCode.USAGE)
    special = network.is_multicast or network.is_link_local or network.is_loopback or network == OUTSIDE_NETWORK
    if special or network.network_address == IPv6Address(0):
        raise UserError(f"{text} cannot be the prefix of a link", PREFIX_HINT, ExitCode.USAGE)
    return network


def dump(lab: Lab) -> bytes:
    """One line of JSON."""
    return json.dumps(asdict(lab)).encode() + b"\n"


def load(line: bytes) -> Lab:
    """The reverse of `dump`. Raises ValueError."""
    try:
        value = json.loads(line)
        emulator = value.pop("emulator")
        nodes = value.pop("nodes")
        asked = _pairs(value.pop("asked"))
        return Lab(
            **value,
            emulator=Emulator(
                argv=tuple(emulator["argv"]),
                environment=_pairs(emulator["environment"]),
                version=tuple(emulator["version"]),
                accelerator=emulator["accelerator"],
                firmware=emulator["firmware"],
            ),
            nodes=tuple(
                Node(**{**node, "options": tuple(node["options"]), "credentials": _pairs(node["credentials"])})
                for node in nodes
            ),
            asked=asked,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a lab: {error!r}") from None


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(text)) for name, text in value)


@dataclass(frozen=True)
class NodeFiles:
    """Where the files of one node are."""

    directory: Path

    @property
    def data(self) -> Path:
        """The raw data disk."""
        return self.directory / "data.raw"

    @property
    def console(self) -> Path:
        """Everything that the serial console ever said."""
        return self.directory / "console.log"

    @property
    def errors(self) -> Path:
        """QEMU's own messages."""
        return self.directory / "qemu.log"

    @property
    def variables(self) -> Path:
        """The firmware's memory."""
        return self.directory / "firmware.vars"

    @property
    def words(self) -> Path:
        """The SMBIOS string with further words of the kernel command line."""
        return self.directory / "cmdline"

    def credential(self, name: str) -> Path:
        """The file of one SMBIOS string."""
        return self.directory / "credentials" / name
