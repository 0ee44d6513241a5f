"""What a member remembers over a restart: its incarnation, and where others were. Pure: JSON objects there and back.

A node keeps it inside its `state.json`, a member that runs alone in a file of its own. Nothing depends on it: a broken
one is as good as none, for anchors lead back into the cluster and time makes a newer incarnation.
"""

import json
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final

from hepto.gossip.messages import Address
from hepto.gossip.settings import LARGEST_INCARNATION

SCHEMA: Final = 1
MOST_ADDRESSES: Final = 64


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a `Remember` effect said last."""

    incarnation: int = 0
    addresses: tuple[Address, ...] = ()


def first_incarnation(remembered: Remembered, unix_time: float) -> int:
    """Where to begin: above what others may remember, even if the clock or the file is wrong (trust.md section 2)."""
    return min(max(remembered.incarnation + 1, int(unix_time), 1), LARGEST_INCARNATION)


def dump(remembered: Remembered) -> dict[str, Any]:
    """As plain JSON types."""
    members = [f"[{IPv6Address(address.ip)}]:{address.port}" for address in remembered.addresses if _is_ipv6(address)]
    return {"schema": SCHEMA, "incarnation": remembered.incarnation, "members": members[:MOST_ADDRESSES]}


def load(value: object) -> tuple[Remembered, str]:
    """The reverse of `dump`, and what was wrong: "" for nothing, as with None, which nobody has written yet."""
    if value is None:
        return Remembered(), ""
    match value:
        case {"schema": int(schema)} if schema > SCHEMA:
            return Remembered(), f"it has schema {schema}, of a later version"
        case {"incarnation": int(incarnation), "members": [*members]} if 0 <= incarnation <= LARGEST_INCARNATION:
            try:
                return Remembered(incarnation, tuple(_address(item) for item in members[:MOST_ADDRESSES])), ""
            except ValueError as error:
                return Remembered(incarnation), str(error)
        case _:
            return Remembered(), "it is no incarnation with a list of members"


def encode(remembered: Remembered) -> bytes:
    """The content of a file."""
    return json.dumps(dump(remembered), indent=1).encode() + b"\n"


def decode(data: bytes | None) -> tuple[Remembered, str]:
    """The reverse of `encode`; None is a file that is not there. Like `load`, never raises."""
    try:
        return load(None if data is None else json.loads(data))
    except (ValueError, RecursionError) as error:
        return Remembered(), f"it is no JSON: {error}"


def parse_address(text: str) -> Address:
    """`[address]:port` of IPv6. Raises ValueError."""
    host, separator, port = text.rpartition("]:")
    if not (separator and host.startswith("[") and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is not [address]:port")
    return Address(IPv6Address(host[1:]).packed, int(port))


def _address(item: object) -> Address:
    if not isinstance(item, str):
        raise ValueError(f"{item!r} is no address")  # noqa: TRY004 (it is the file that is wrong, not our code)
    return parse_address(item)


def _is_ipv6(address: Address) -> bool:
    return len(address.ip) == 16
