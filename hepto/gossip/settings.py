"""What a core is told at its birth."""

from dataclasses import dataclass

from hepto.gossip.messages import Address
from hepto.gossip.profile import LAN, Profile

PACKET_BYTES = 1200
"""Of UDP payload: with the headers of IPv6 (40) and UDP (8) it fits the minimum MTU of 1,280."""
LARGEST_INCARNATION = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Settings:
    name: bytes
    address: Address
    """Where others reach us: concrete, never the unspecified address."""
    meta: bytes = b""
    anchors: tuple[str, ...] = ()
    """`host`, `host:port`, `address` or `[address]:port`."""
    profile: Profile = LAN
    incarnation: int = 1
    """max(last one that was stored + 1, Unix seconds), so that a replay of an earlier life is older than this one."""
    remembered: tuple[Address, ...] = ()
    """Members of an earlier life (`Remember`)."""
    packet_bytes: int = PACKET_BYTES
    port: int = 7946
    """Of anchors without one."""
