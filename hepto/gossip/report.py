"""What a member knows, as plain JSON types: for sockets, files and commands. Pure.

Addresses are `[address]:port`; names and reasons are text, with what is no UTF-8 escaped; times are seconds on the
clock of `now`. It is what others claim: see model.Claim.
"""

from ipaddress import IPv6Address
from typing import Any, Final

from hepto.gossip.core import Gossip
from hepto.gossip.members import canonical
from hepto.gossip.messages import Address, Status
from hepto.gossip.model import Claim

VERSION: Final = 1


def report(core: Gossip, name: bytes, now: float, *, histories: bool = True) -> dict[str, Any]:
    """Everything that the member `name` knows."""
    members = sorted(core.members(), key=lambda claim: claim.name)
    return {
        "version": VERSION,
        "now": now,
        "name": text(name),
        "health": core.health,
        "members": [
            {**plain_claim(claim), **({"history": history(core, claim.name)} if histories else {})} for claim in members
        ],
        "counters": dict(sorted(core.counters.items())),
    }


def history(core: Gossip, name: bytes) -> list[dict[str, Any]]:
    """What has become of a member and why, oldest first."""
    return [{"time": time, "what": what.value, "why": why} for time, what, why in core.history(name)]


def plain_claim(claim: Claim) -> dict[str, Any]:
    """One member."""
    return {
        "name": text(claim.name),
        "address": plain_address(claim.address),
        "status": status_word(claim.status),
        "since": claim.since,
        "incarnation": claim.incarnation,
        "round_trip": claim.round_trip,
    }


def status_word(status: Status) -> str:
    """As a person calls it."""
    return status.name.lower()


def plain_address(address: Address) -> str:
    """`[address]:port`."""
    return f"[{IPv6Address(canonical(address).ip)}]:{address.port}"


def text(name: bytes) -> str:
    """A name for people."""
    return name.decode(errors="backslashreplace")
