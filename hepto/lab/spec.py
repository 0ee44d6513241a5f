"""What a lab consists of, as frozen values: nodes, their disks and options, addresses, the emulator. Pure.

A specification travels from command to holder as one JSON line over the leash, because it holds the cluster's key; it
is never written to a file that others may read, to an argument or to the environment.
"""

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, field
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

LAB_NETWORK = IPv6Network("2001:db8:1::/64")
ROUTER = IPv6Address("2001:db8:1::1")
ROUTER_LINK_LOCAL = IPv6Address("fe80::1")
OUTSIDE_NETWORK = IPv6Network("2001:db8:2::/64")
OUTSIDE_ROUTER = IPv6Address("2001:db8:2::1")
OUTSIDE = IPv6Address("2001:db8:2::2")
DOMAIN = "lab.internal"
BRIDGE = "lab0"
UPLINK = "up0"

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
"""Names of labs and nodes: they become directories, interface names and DNS labels."""
RESERVED = frozenset({"router", "outside"})
"""What `hepto lab exec` understands besides nodes."""


@dataclass(frozen=True)
class Emulator:
    """How QEMU is started. `trusted` is false for versions that corrupt guests under TCG (facts.md section 2)."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    version: tuple[int, ...] = ()
    accelerator: str = "tcg"

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
    on: bool = True
    """False: the machine is there and switched off."""


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

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """True if there is a node of that name."""
        return any(node.name == name for node in self.nodes)

    def identity(self, name: str) -> uuid.UUID:
        """The SMBIOS UUID of a node: the same whenever the lab is made again."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{self.name}.{DOMAIN}")

    def hardware_address(self, name: str) -> bytes:
        """A locally administered MAC address that follows from the names."""
        return b"\x52\x54\x00" + hashlib.sha256(f"{self.name}/{name}".encode()).digest()[:3]

    def address(self, name: str) -> IPv6Address:
        """The address that a node makes from the router's prefix and its MAC (modified EUI-64, RFC 4291 appendix A)."""
        mac = self.hardware_address(name)
        identifier = bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]])
        return LAB_NETWORK[int.from_bytes(identifier, "big")]

    def names(self) -> dict[str, IPv6Address]:
        """What the lab's DNS server knows."""
        table = {f"router.{DOMAIN}": ROUTER, f"outside.{DOMAIN}": OUTSIDE}
        return table | {f"{node.name}.{DOMAIN}": self.address(node.name) for node in self.nodes}


def dump(lab: Lab) -> bytes:
    """One line of JSON."""
    return json.dumps(asdict(lab)).encode() + b"\n"


def load(line: bytes) -> Lab:
    """The reverse of `dump`. Raises ValueError."""
    try:
        value = json.loads(line)
        emulator = value.pop("emulator")
        nodes = value.pop("nodes")
        return Lab(
            **value,
            emulator=Emulator(
                argv=tuple(emulator["argv"]),
                environment=_pairs(emulator["environment"]),
                version=tuple(emulator["version"]),
                accelerator=emulator["accelerator"],
            ),
            nodes=tuple(
                Node(**{**node, "options": tuple(node["options"]), "credentials": _pairs(node["credentials"])})
                for node in nodes
            ),
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

    def credential(self, name: str) -> Path:
        """The file of one SMBIOS string."""
        return self.directory / "credentials" / name
