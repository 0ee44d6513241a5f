"""The node API of this node: joins and renewals on the master, the relay on all (trust.md section 3).

Promises: a member passes connections on to nodes with a verified grant only.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address

from hepto.api.relay import MASTER, Here, Relay, There
from hepto.api.routes import JOIN, Door, Inside
from hepto.api.server import ApiServer, Settings
from hepto.edge.pump import pause
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.roster import Enrolled, Roster
from hepto.pki import fields
from hepto.values import Secret
from init.contract.status import Reason

RETRY_SECONDS = 2.0
PROBLEM = "api"


class Proof:
    """HMAC under K_join of the keyring's primary key, which may change."""

    def __init__(self, cluster: str, key: Callable[[], Secret]):
        self._cluster = cluster
        self._key = key

    def __call__(self, name: str, *parts: bytes) -> bytes:
        """hepto.api.proof.Mac."""
        return fields.mac(fields.join_key(self._key().reveal(), self._cluster), name, *parts)


class NodeApi:
    """Of one node. `certificate` is the file of profile node-api."""

    def __init__(self, board: Board, node: Identity, roster: Roster, proof: Proof, certificate: str):
        self._board = board
        self._node = node
        self._roster = roster
        self._proof = proof
        self._certificate = certificate
        self._server: ApiServer | None = None

    @property
    def refused(self) -> dict[str, int]:
        """How many were refused, by reason."""
        return self._server.refused if self._server is not None else {}

    async def run(self, doors: Mapping[str, Door | Inside]) -> None:
        """Serve until cancelled; a port that is taken is named, and tried again."""
        relay = Relay(self._proof, self._find_here if JOIN in doors else self.find)
        settings = Settings(self._node.config.api_port, self._certificate, mesh=self._node.plan.nodes)
        self._server = ApiServer(settings, doors, self._roster.has, relay)
        while True:
            try:
                await self._server.run(lambda _port: self._board.solved(PROBLEM))
            except OSError as error:
                what, hint = f"the node API cannot listen: {error}", "choose another hepto.api-port, or end what has it"
                self._board.problem(PROBLEM, Reason.INTERFACE, "", what, hint)
            await pause(RETRY_SECONDS)

    def _find_here(self, target: str) -> Here | tuple[There, ...]:
        return Here() if target == MASTER else self.find(target)

    def find(self, target: str) -> Here | tuple[There, ...]:
        """Where the API of `target` is (MASTER: of any master): over the mesh first, else over the underlay."""
        if target == self._node.node:
            return Here()
        known = self._roster.enrolled.values()
        found = [one for one in known if not self._roster.is_revoked(one.grant) and _is(one, target)]
        return tuple(place for one in found for place in self._places(one))

    def _places(self, one: Enrolled) -> tuple[There, ...]:
        port = one.record.api_port if one.record is not None else self._node.config.api_port
        underlay = one.record.addresses if one.record is not None else ()
        addresses = (self._node.plan.node(one.grant.node), *map(IPv6Address, underlay))
        return tuple(There(address, port) for address in addresses) if port else ()


def _is(one: Enrolled, target: str) -> bool:
    return one.grant.role.has_control_plane if target == MASTER else one.grant.node == target
