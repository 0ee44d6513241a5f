"""What a node serves others: operators' orders on every node, joins and renewals where the CA's key is.

Promises: there is one signer, and what it tells of its master (grant, mesh key) is what the master has now.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from hepto.api.operators import Operators, Verb, VerbHandler
from hepto.api.proof import Mac
from hepto.api.routes import OPERATOR, Door
from hepto.api.signing import Signing
from hepto.edge.pump import now as monotonic
from hepto.log import Log
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.keys import Keys
from hepto.node.orders import ClusterOrders
from hepto.node.roster import Roster
from hepto.pki import operator
from hepto.pki.driver import Pki
from hepto.pki.register import Enrolled
from hepto.pki.signer import Signer
from hepto.values import Secret


class Served:
    """Of one node.

    `join_keys` are the keyring that proves a join; `revoked` is called with a newer list of revocations, `fresh` when
    there is a new keyring.
    """

    def __init__(
        self,
        board: Board,
        node: Identity,
        keys: Keys,
        pki: Pki,
        roster: Roster,
        *,
        join_keys: Callable[[], tuple[Secret, ...]],
        revoked: Callable[[bytes], None],
        fresh: Callable[[], None],
    ):
        self._board = board
        self._node = node
        self._keys = keys
        self._pki = pki
        self._roster = roster
        self._join_keys = join_keys
        self._revoked = revoked
        self._fresh = fresh
        self._log = Log("cluster")
        self._signing: Signing | None = None

    def doors(self, proof: Mac, handlers: Mapping[Verb, VerbHandler], *, signs: bool) -> dict[str, Door]:
        """By path. `handlers` are of the orders that any node takes; who `signs` is the cluster's master."""
        handlers, doors = dict(handlers), dict[str, Door]()
        if signs:
            self._signing = self._sign()
            handlers |= ClusterOrders(self._board, self._node, self._signing, self._rotate).handlers()
            doors |= self._signing.doors()
        doors[OPERATOR] = Operators(
            self._node.node,
            self._pki.authority().public_bytes(Encoding.DER),
            proof,
            lambda order, signature: operator.verify(order, signature, self._admins(), self._node.node),
            handlers,
            token=secrets.token_bytes,
            clock=monotonic,
            log=lambda verb, who: self._log.info("ordered", verb=verb, operator=who),
        )
        return doors

    def renew_signer(self) -> None:
        """The master has another grant: what it tells is the new one, and so is the entry in its register."""
        if self._signing is not None:
            signer, fresh = self._signing.signer, self._make_signer()
            signer.own, signer.wireguard, signer.register = fresh.own, fresh.wireguard, fresh.register

    def _admins(self) -> tuple[str, ...]:
        return self._node.config.admin if self._signing is not None else self._pki.admins()

    def _sign(self) -> Signing:
        signer = self._make_signer()
        signing = Signing(signer, self._pki.keep_register, lambda: datetime.now(UTC), self._registered)
        self._count(signer.register.nodes)
        return signing

    def _make_signer(self) -> Signer:
        config = self._node.config
        return self._pki.signer(Secret(self._keys.mesh), self._join_keys(), admit=config.admit, admins=config.admin)

    def _registered(self) -> None:
        """The register has changed: somebody came, or was put out."""
        assert self._signing is not None, "it has said so"
        register = self._signing.signer.register
        self._count(register.nodes)
        if register.revocations.version > self._roster.revocations.version:
            self._revoked(register.revoked)

    def _rotate(self) -> None:
        """A new gossip key, which enrolled nodes get with their next renewal."""
        assert self._signing is not None, "asked by its orders"
        if self._node.config.key:
            self._signing.signer.keys = self._pki.rotate_keyring(self._signing.signer.keys)
            self._fresh()

    def _count(self, nodes: Mapping[str, Enrolled]) -> None:
        """Whom this master has enrolled: Kubernetes gets an object of each."""
        workers = (name for name, node in nodes.items() if node.grant.role.has_pods and name != self._node.node)
        self._board.learn(workers=frozenset(workers))
