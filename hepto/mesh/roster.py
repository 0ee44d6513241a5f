"""Who is a peer: of all who are named, those whose claims contradict nobody's.

The signer has refused duplicates already (trust.md section 2). Here they are refused once more, because a revocation, a
restored master or a merge of two networks may bring together what was never judged together; the older serial keeps
what is claimed twice.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from hepto.mesh.model import Own, Peer
from hepto.wireguard import Endpoint


class Refusal(StrEnum):
    """Why a peer is not in the mesh."""

    REVOKED = "revoked"
    OWN_KEY = "has-own-key"
    OWN_ADDRESS = "has-own-address"
    OUTSIDE = "outside-the-cluster"
    """The address or pod subnet is not the cluster's."""
    NAME_TAKEN = "name-taken"
    KEY_TAKEN = "key-taken"
    ADDRESS_TAKEN = "address-taken"
    SUBNET_TAKEN = "subnet-taken"
    OLDER_GRANT = "older-grant"
    """The name is known with another key by a newer grant."""


Roster = dict[str, Peer]
"""Peers by name."""


class Admission(NamedTuple):
    claims: Roster
    """What each name claims by its newest grant, whether or not it may have it: what the next judgement begins with."""
    roster: Roster
    """Who is in the mesh."""
    refused: dict[str, Refusal]


def admit(claims: Roster, named: Iterable[Peer], revoked: frozenset[bytes], own: Own) -> Admission:
    """Judge all who were ever named. Not to be named again removes nobody; the same again changes nothing."""
    refused: dict[str, Refusal] = {}
    newest: Roster = {}
    for peer in sorted(named, key=_serial):
        before = claims.get(peer.name)
        reason = _claim(peer, newest.get(peer.name), before, revoked, own)
        if reason is None:
            newest[peer.name] = _newer(peer, before)
        else:
            refused[peer.name] = reason
    for name, peer in claims.items():
        if name not in newest and peer.public_key not in revoked:
            newest[name] = peer
    return Admission(newest, _unique(newest.values(), refused), refused)


def _newer(peer: Peer, before: Peer | None) -> Peer:
    """An old grant for the same key tells nothing new but perhaps endpoints."""
    if before is None or before.public_key != peer.public_key or before.serial <= peer.serial:
        return peer
    return replace(peer, serial=before.serial)


def _serial(peer: Peer) -> tuple[int, str, bytes]:
    return peer.serial, peer.name, peer.public_key


def _claim(peer: Peer, twin: Peer | None, before: Peer | None, revoked: frozenset[bytes], own: Own) -> Refusal | None:
    if peer.public_key in revoked:
        return Refusal.REVOKED
    if peer.public_key == own.public_key:
        return Refusal.OWN_KEY
    if peer.address == own.address:
        return Refusal.OWN_ADDRESS
    if peer.address not in own.prefix or peer.pods.network_address not in own.prefix or peer.pods.prefixlen < 64:
        return Refusal.OUTSIDE
    if twin is not None:
        return Refusal.NAME_TAKEN
    if before is not None and before.public_key != peer.public_key and before.serial > peer.serial:
        return Refusal.OLDER_GRANT if before.public_key not in revoked else None
    return None


def _unique(peers: Iterable[Peer], refused: dict[str, Refusal]) -> Roster:
    roster: Roster = {}
    keys: set[bytes] = set()
    addresses: set[IPv6Address] = set()
    subnets: set[IPv6Network] = set()
    for peer in sorted(peers, key=_serial):
        if peer.public_key in keys:
            refused[peer.name] = Refusal.KEY_TAKEN
        elif peer.address in addresses:
            refused[peer.name] = Refusal.ADDRESS_TAKEN
        elif peer.pods in subnets:
            refused[peer.name] = Refusal.SUBNET_TAKEN
        else:
            roster[peer.name] = peer
            keys.add(peer.public_key)
            addresses.add(peer.address)
            subnets.add(peer.pods)
    return roster


def is_endpoint(endpoint: Endpoint, prefix: IPv6Network, own: Iterable[IPv6Address] = ()) -> bool:
    """False for what could never be a peer's place on the underlay.

    An endpoint inside the mesh would answer, through the mesh: a tunnel in a tunnel, up until the outer one falls.
    """
    address = endpoint.address
    return not (
        endpoint.port == 0
        or address in prefix
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_loopback
        or address.ipv4_mapped is not None
        or address in own
    )
