"""Whom a node asks to be let in, or for a renewal: the API of every member that it has ever heard of, best first."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from hepto.api.client import Candidate
from hepto.api.relay import MASTER
from hepto.edge import names
from hepto.gossip import store
from hepto.node.api import NodeApi
from hepto.node.desired import Identity
from hepto.node.roster import Said, claims_control_plane

MOST: Final = 12
"""Members that are asked in one try."""


class Contacts:
    """`said` is what gossip says now, `remembered` what it knew in an earlier life (hepto.gossip.store)."""

    def __init__(self, node: Identity, api: NodeApi, said: Callable[[], tuple[Said, ...]], remembered: object):
        self._node = node
        self._api = api
        self._said = said
        self._remembered, _ = store.load(remembered)

    async def candidates(self) -> tuple[Candidate, ...]:
        """Masters over the mesh, then every member that could let us in or pass us on, masters first.

        At last the anchors and the members of an earlier life: where gossip cannot be read (our key was retired) or
        shows nobody (our name is taken), they still tell us why.
        """
        masters = self._api.find(MASTER)
        found = [Candidate(place.address, place.port) for place in masters] if isinstance(masters, tuple) else []
        members = [one for one in self._said() if one.meta.grant is not None and one.meta.endpoint.api_port]
        for member in sorted(members, key=lambda member: not claims_control_plane(member)):
            places = (member.address, *map(IPv6Address, member.meta.endpoint.addresses))
            found += [Candidate(place, member.meta.endpoint.api_port) for place in places]
        anchors = [address for anchor in self._node.config.anchor for address in await names.addresses(anchor.host)]
        earlier = (IPv6Address(address.ip) for address in self._remembered.addresses)
        found += [Candidate(place, self._node.config.api_port) for place in (*anchors, *earlier)]
        return tuple(dict.fromkeys(found))[:MOST]
