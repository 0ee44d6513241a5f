"""The kinds of values an option can have: how each is read, written and explained.

Promises: `parse` of any text gives a value or raises BadValue with the reason, nothing else; `parse(render(x)) == x`.
A reason never repeats the value itself, for it may be a secret: who reports it decides whether to show what was given.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Generic, TypeVar

from hepto import openssh

T = TypeVar("T")
Word = TypeVar("Word", bound=str)

KEY_SIZES = (16, 24, 32)
"""AES-128, -192 and -256, as memberlist takes them."""

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HOST_NAME_LIMIT = 253
INTERFACE_NAME_LIMIT = 15
"""IFNAMSIZ - 1."""


class BadValue(ValueError):  # noqa: N818 (it is the value that is wrong)
    """A text is no value of a kind. The message is the reason, fit to follow "NAME=VALUE: "."""


class Role(StrEnum):
    """What runs on a node."""

    MASTER = "master"
    NODE = "node"
    FULL = "full"

    @property
    def has_control_plane(self) -> bool:
        """etcd, apiserver, controller-manager and scheduler run here."""
        return self is not Role.NODE

    @property
    def has_pods(self) -> bool:
        """kubelet, kube-proxy and cluster DNS run here."""
        return self is not Role.MASTER


class Secret:
    """Bytes that do not show: not in str, repr, format, a dataclass's repr, or an equality's timing."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes):
        self._data = bytes(data)

    def reveal(self) -> bytes:
        """The bytes. Search for this name to see who uses secrets."""
        return self._data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._data, other._data)

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")


@dataclass(frozen=True)
class Port:
    """A transport port: `tcp/8443`."""

    protocol: str
    number: int


@dataclass(frozen=True)
class Anchor:
    """A member to contact: host name or IPv6 address, and its gossip port if it is not the usual one."""

    host: str
    port: int | None


@dataclass(frozen=True)
class Mirror:
    """Where to pull the images of registry `host` from."""

    host: str
    url: str


@dataclass(frozen=True)
class Login:
    """User and password (or token) for a registry, or for a mirror, at `host`, which may have a port."""

    host: str
    user: str
    password: Secret


@dataclass(frozen=True)
class Kind(Generic[T]):
    """One kind of value."""

    parse: Callable[[str], T]
    render: Callable[[T], str]
    metavar: str
    allowed: str
    """Completes the sentence "it takes …"."""
    choices: tuple[str, ...] = ()
    """What a shell can complete."""
    absent: object = None
    """The value in force when nothing is given and there is no default."""
    is_switch: bool = False
    """May be given without a value."""


def many(item: Kind[T], allowed: str) -> Kind[tuple[T, ...]]:
    """Several values of one kind, separated by commas, in the order given."""

    def parse(text: str) -> tuple[T, ...]:
        values: list[T] = []
        for part in text.split(","):
            if not part.strip():
                raise BadValue("there is an empty place between commas")
            value = item.parse(part.strip())
            if value in values:
                raise BadValue("something is given twice")
            values.append(value)
        return tuple(values)

    def render(values: tuple[T, ...]) -> str:
        return ",".join(item.render(value) for value in values)

    return Kind(parse, render, f"{item.metavar},…", allowed, item.choices, absent=())


def choice(*allowed: Word) -> Kind[Word]:
    """One of a few words."""

    def parse(text: str) -> Word:
        return _member(text, allowed)

    return Kind(parse, str, "|".join(allowed), " or ".join(allowed), tuple(map(str, allowed)))


def words(*allowed: str) -> Kind[frozenset[str]]:
    """Any of a few words, separated by commas."""

    def parse(text: str) -> frozenset[str]:
        return frozenset(_member(part.strip(), allowed) for part in text.split(","))

    def render(value: frozenset[str]) -> str:
        return ",".join(sorted(value))

    return Kind(parse, render, "WORD,…", "any of " + ", ".join(allowed), allowed, absent=frozenset())


def _member(text: str, allowed: tuple[Word, ...]) -> Word:
    for word in allowed:
        if word == text:
            return word
    raise BadValue(f"not {' or '.join(allowed)}")


def _parse_switch(text: str) -> bool:
    match text.lower():
        case "1" | "yes" | "true" | "on":
            return True
        case "0" | "no" | "false" | "off":
            return False
        case _:
            raise BadValue("neither yes nor no")


def _render_switch(value: bool) -> str:
    return "yes" if value else "no"


def _parse_cluster(text: str) -> str:
    # It becomes a directory and a gossip label. The hash of the address plan takes it as it is, capitals included.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text):
        raise BadValue("not 1 to 63 letters, digits, dots, dashes or underscores that begin with a letter or digit")
    return text


def _parse_label(text: str) -> str:
    if not LABEL.fullmatch(text):
        if text != text.lower() and LABEL.fullmatch(text.lower()):
            raise BadValue("capital letters; Kubernetes wants small ones")
        raise BadValue("not 1 to 63 small letters, digits or inner dashes")
    return text


def _parse_text(text: str) -> str:
    if not text.isprintable() or len(text) > HOST_NAME_LIMIT:
        raise BadValue("not 1 to 253 printable characters")
    return text


def _parse_host_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if all(label.isascii() and label.isdigit() for label in labels):
        raise BadValue("looks like an IPv4 address; hepto is IPv6 only")
    if len(name) > HOST_NAME_LIMIT or not all(LABEL.fullmatch(label) for label in labels):
        raise BadValue("not a host name")
    return name


def _parse_host(text: str) -> str:
    """A host name, or an IPv6 address in its shortest form."""
    return str(_parse_address(text)) if ":" in text else _parse_host_name(text)


def _parse_address(text: str) -> IPv6Address:
    if "%" in text:
        raise BadValue("has a zone; leave out the % and what follows, the interface is known")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        if re.fullmatch(r"[0-9.]+", text):
            raise BadValue("not an IPv6 address; hepto is IPv6 only") from None
        raise BadValue("not an IPv6 address") from None
    if address.is_unspecified or address.is_loopback or address.is_multicast or address.ipv4_mapped:
        raise BadValue("not the address of a machine")
    return address


def _parse_interface_address(text: str) -> IPv6Interface:
    address_text, slash, length = text.partition("/")
    address = _parse_address(address_text)
    if not slash:
        raise BadValue("lacks its prefix length, such as /64")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", length) or int(length) > address.max_prefixlen:
        raise BadValue("has a prefix length that is not from 1 to 128")
    if address.is_link_local:
        raise BadValue("is link-local; the kernel makes such an address by itself")
    interface = IPv6Interface((address, int(length)))
    if int(length) < address.max_prefixlen - 1 and address == interface.network.network_address:
        raise BadValue("is the address of the network, not of a machine in it")
    return interface


def _parse_port_number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 0xFFFF:
        raise BadValue("not a number from 1 to 65535")
    return int(text)


def _parse_open_port(text: str) -> Port:
    protocol, slash, number = text.partition("/")
    if not slash or protocol not in ("tcp", "udp"):
        raise BadValue("not tcp/PORT or udp/PORT")
    return Port(protocol, _parse_port_number(number))


def _render_open_port(port: Port) -> str:
    return f"{port.protocol}/{port.number}"


def _parse_anchor(text: str) -> Anchor:
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]*)\](:(?P<port>.*))?", text)
    if bracketed:
        host, port = str(_parse_address(bracketed["host"])), bracketed["port"]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        host = _parse_host_name(host)
    else:
        host, port = _parse_host(text), None
    return Anchor(host, None if port is None else _parse_port_number(port))


def _render_anchor(anchor: Anchor) -> str:
    if anchor.port is None:
        return anchor.host
    return f"[{anchor.host}]:{anchor.port}" if ":" in anchor.host else f"{anchor.host}:{anchor.port}"


def _parse_interface_name(text: str) -> str:
    # What the kernel's dev_valid_name() refuses, and the names that cannot be an underlay.
    if (
        text in (".", "..")
        or not re.fullmatch(rf"[!-~]{{1,{INTERFACE_NAME_LIMIT}}}", text)
        or "/" in text
        or ":" in text
    ):
        raise BadValue("not the name of a network interface")
    if text in ("lo", "wg0"):
        raise BadValue("is an interface of the node itself, not of the underlay")
    return text


def _parse_directory(text: str) -> Path:
    path = Path("/" + text.strip("/"))
    if not text.startswith("/") or path == Path("/") or ".." in path.parts or not text.isprintable():
        raise BadValue("not an absolute path of a directory below /")
    return path


def _parse_mirror(text: str) -> Mirror:
    host, equals, url = text.partition("=")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "https", url
    place = re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?", rest)
    if not equals or scheme not in ("http", "https") or not place:
        raise BadValue("not REGISTRY=MIRROR")
    return Mirror(_parse_registry(host), f"{scheme}://{rest.rstrip('/')}")


def _parse_registry(text: str) -> str:
    host, colon, port = text.partition(":")
    return _parse_host_name(host) + (f":{_parse_port_number(port)}" if colon else "")


def _render_mirror(mirror: Mirror) -> str:
    return f"{mirror.host}={mirror.url}"


def _parse_login(text: str) -> Login:
    host, equals, pair = text.partition("=")
    user, colon, password = pair.partition(":")  # a user name has no colon (RFC 7617), a password may
    if not equals or not colon or not user or not password:
        raise BadValue("not HOST=USER:PASSWORD (for a password with a comma use an access token)")
    literal = re.fullmatch(r"\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?", host)
    return Login(host if literal else _parse_registry(host), user, Secret(password.encode()))


def _render_login(login: Login) -> str:
    return f"{login.host}={login.user}:{login.password.reveal().decode()}"


def _parse_key(text: str, sizes: tuple[int, ...] = KEY_SIZES) -> Secret:
    if len(text) in (32, 48, 64) and re.fullmatch(r"[0-9A-Fa-f]+", text):
        data = bytes.fromhex(text)
    else:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise BadValue("neither hex of 32, 48 or 64 digits nor base64") from None
    if len(data) not in sizes:
        raise BadValue(f"{len(data)} bytes long, not {' or '.join(map(str, sizes))}")
    return Secret(data)


def _render_key(secret: Secret) -> str:
    return secret.reveal().hex()


def _parse_operator_key(text: str) -> str:
    line = openssh.ed25519_line(text)
    if line is None:
        raise BadValue("not an OpenSSH public key of type ssh-ed25519")
    return line


def _parse_fingerprint(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise BadValue("not 64 hex digits")
    return text.lower()


# fmt: off
CLUSTER = Kind(_parse_cluster, str, "NAME", "letters, digits, dots, dashes and underscores, at most 63")
LABEL_NAME = Kind(_parse_label, str, "NAME", "a DNS label: small letters, digits and inner dashes, at most 63")
TEXT = Kind(_parse_text, str, "TEXT", "printable text")
HOST_NAME = Kind(_parse_host_name, str, "HOST", "a host name")
HOST = Kind(_parse_host, str, "HOST", "a host name or an IPv6 address")
ADDRESS = Kind(_parse_address, str, "ADDRESS", "an IPv6 address")
INTERFACE_ADDRESS = Kind(_parse_interface_address, str, "ADDRESS/LENGTH", "an IPv6 address with its prefix length")
INTERFACE = Kind(_parse_interface_name, str, "INTERFACE", "the name of a network interface")
DIRECTORY = Kind(_parse_directory, str, "DIRECTORY", "an absolute path")
PORT = Kind(_parse_port_number, str, "PORT", "a number from 1 to 65535")
OPEN_PORT = Kind(_parse_open_port, _render_open_port, "tcp/PORT|udp/PORT", "tcp/PORT or udp/PORT")
ANCHOR = Kind(_parse_anchor, _render_anchor, "HOST[:PORT]", "a host name or an IPv6 address, with or without a port")
MIRROR = Kind(_parse_mirror, _render_mirror, "REGISTRY=MIRROR", "REGISTRY=MIRROR")
LOGIN = Kind(_parse_login, _render_login, "HOST=USER:PASSWORD", "HOST=USER:PASSWORD")
KEY = Kind(_parse_key, _render_key, "KEY", "16, 24 or 32 bytes in hex or base64")
IDENTITY = Kind(lambda text: _parse_key(text, (32,)), _render_key, "KEY",
    "32 bytes in hex or base64, as `hepto key --identity` makes them")
OPERATOR_KEY = Kind(_parse_operator_key, str, "KEY", "an OpenSSH public key (ssh-ed25519 AAAA…, or AAAA… alone)")
FINGERPRINT = Kind(_parse_fingerprint, str, "SHA256", "a SHA-256 in hex: 64 digits")
SWITCH = Kind(_parse_switch, _render_switch, "yes|no", "yes or no", ("yes", "no"), is_switch=True)
# fmt: on
