"""A node's place in its cluster: its keys, its enrolment, who the others are, and the mesh with them.

    gossip's claims -> roster (grants) -> peers -> mesh
    enrolment (founds or joins) -> authority, grant, certificates -> gossip's meta, node API, Kubernetes

Promises: each part is asked again whenever something changed (`settle`); what is not known yet changes nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509

from hepto.api import client
from hepto.api.client import Candidate
from hepto.api.routes import TIME, Door, Inside
from hepto.clock.model import Handshake
from hepto.edge.pump import now as monotonic
from hepto.edge.pump import pause
from hepto.errors import PeerError, UserError
from hepto.log import Log
from hepto.mesh import driver as mesh
from hepto.mesh.driver import MeshDriver
from hepto.mesh.model import State as PeerState
from hepto.mesh.plan import INTERFACE
from hepto.net.model import View
from hepto.node import copies, desired, keys, peertime
from hepto.node.api import NodeApi, Proof
from hepto.node.applicant import Applicant
from hepto.node.board import Board
from hepto.node.contacts import Contacts
from hepto.node.copies import Copier, Shelf
from hepto.node.desired import Identity
from hepto.node.founder import Founder
from hepto.node.orders import NodeOrders
from hepto.node.peertime import PeerTimes
from hepto.node.roster import Roster, Said
from hepto.node.rotation import RENEWALS, Rotation
from hepto.node.served import Served
from hepto.node.standing import Standing
from hepto.node.timekeeping import Timekeeper
from hepto.pki import grant, revocations, sshsig
from hepto.pki.driver import Pki
from hepto.values import Secret
from init.contract.status import Reason

if TYPE_CHECKING:
    from hepto.node.membership import Membership


MESH_KEY, ENROLMENT, SERVED = "mesh-key", "enrolment", "served"
CHOICE_SECONDS, LOOK_SECONDS = 1.0, 0.2
NO_KEY = Secret(bytes(32))
"""What a join is proved with in a cluster without a key (`hepto.insecure`): nothing."""


class Cluster:
    """Of one node. `remembered` is what gossip knew in an earlier life, `remember` keeps what it knows now."""

    def __init__(
        self,
        board: Board,
        node: Identity,
        orders: NodeOrders,
        clock: Timekeeper,
        remembered: object,
        remember: Callable[[dict[str, Any]], None],
    ):
        """Raises UserError or OSError when a key of this node cannot be read."""
        self._board = board
        self._node = node
        self._orders = orders
        self._clock = clock
        self._remembered = remembered
        self._remember = remember
        self._log = Log("cluster")
        self._pki = Pki(node.directory, desired.subject(node), node.longest_leaf)
        self._keys = keys.load(self._pki, node.directory, node.config.identity)
        self._standing = Standing(node.node, node.config.api_port, node.config.mesh_port, self._keys.identity)
        self._roster = Roster(node.plan, node.node)
        self._mesh = MeshDriver(node.directory)
        self._proof = Proof(node.config.cluster, lambda: self._join_keys()[0])
        self._api = NodeApi(board, node, self._roster, self._proof, f"{node.directory}/pki/node-api.pem")
        self._rotation = Rotation(self._keyring(), monotonic())
        self._served = Served(
            board,
            node,
            self._keys,
            self._pki,
            self._roster,
            join_keys=self._join_keys,
            revoked=self._revoke,
            fresh=self._look_again,
        )
        self._times = PeerTimes(clock, self._up, self._place, self._asker)
        self._copier = Copier(board, node, self._up, self._roster.is_master, self._place, self._asker)
        self._membership: Membership | None = None
        self._enrolment: Founder | Applicant | None = None
        self._chosen, self._enrolled = asyncio.Event(), asyncio.Event()
        self._master = ""
        self._told: tuple[Secret, ...] = ()  # the keys that gossip has
        self._is_look_due = False

    @property
    def gossip(self) -> dict[str, Any] | None:
        """For the status; None before it has begun."""
        return self._membership.summary() if self._membership is not None else None

    @property
    def operators(self) -> tuple[str, ...]:
        """Fingerprints of the operators' keys, as `hepto.admin` of this node names them."""
        return tuple(sshsig.fingerprint(sshsig.public_key(text)) for text in self._node.config.admin)

    @property
    def refused(self) -> dict[str, dict[str, int]]:
        """What others sent and was not taken, by kind and reason: grants, calls of the API, peers' times, copies."""
        found = {"grants": self._roster.refused, "times": self._times.refused, "copies": self._copier.refused}
        return {"calls": self._api.refused, **{kind: dict(counts) for kind, counts in found.items()}}

    def mint(self) -> bytes:
        """A `system:masters` certificate with its key, for minutes and in memory only (masters)."""
        return self._pki.bootstrap(datetime.now(UTC)).pem()

    def renew(self) -> None:
        """Have every certificate of this node issued anew."""
        self._pki.expire()
        if self._enrolment is not None:
            self._enrolment.renew()
        self._board.work.set()

    def pause(self, now: datetime) -> float:
        """Seconds until `settle` wants to be called again."""
        return self._enrolment.pause(now) if self._enrolment is not None else CHOICE_SECONDS

    # --- made so again and again

    def settle(self, network: View, now: datetime) -> str | None:
        """Go as far as can be; the master whose apiserver this node uses. None: mesh or certificates are not there."""
        if self._clock.worn:
            self._renew_mesh_key(self._clock.worn)
        has_mesh = self._interface(network)
        self._enrolment = self._enrolment or self._choose(network)
        if self._enrolment is None:
            return None
        self._chosen.set()
        if not self._settle_enrolment(self._enrolment, now):
            return None
        self._set_keys()
        if not has_mesh:
            return None
        self._enrolled.set()
        self._meet(network, now)
        return self._master

    def _settle_enrolment(self, enrolment: Founder | Applicant, now: datetime) -> bool:
        """True if this node is in the cluster. Raises UserError, OSError.

        Once it was, a disk that fails is named, and ends neither gossip nor the mesh: what was read is still good.
        """
        try:
            if not enrolment.settle(now, plausible=self._clock.is_plausible):
                return False
            if enrolment.fresh:
                self._take_over()
                enrolment.fresh = False
            self._master = enrolment.master
        except (UserError, OSError) as error:
            if not self._enrolled.is_set():
                raise
            self._board.failed(ENROLMENT, error, Reason.CERTIFICATE)
        else:
            self._board.solved(ENROLMENT)
        return True

    def _renew_mesh_key(self, why: str) -> None:
        """Peers would refuse the old one: it needs a new grant, too. Raises OSError; then it is tried again."""
        self._mesh.renew_key()
        self._keys.mesh = mesh.load_key(self._node.directory)
        self._clock.key_made()
        if self._enrolment is not None:
            self._enrolment.renew()
        if self._pki.locked:
            what, hint = f"its new key needs a grant: {why}", "boot the master; this node waits for it"
            self._board.problem(MESH_KEY, Reason.CERTIFICATE, INTERFACE, what, hint)

    def _interface(self, network: View) -> bool:
        try:
            self._mesh.apply(desired.mesh_interface(self._node, network))
        except OSError as error:
            what, hint = f"the mesh interface could not be made: {error}", "the image's kernel needs WireGuard"
            self._board.problem("mesh", Reason.INTERFACE, INTERFACE, what, hint)
            return False
        self._board.solved("mesh")
        self._board.learn(mesh=True)
        return True

    def _choose(self, network: View) -> Founder | Applicant | None:
        """Only a master that has no anchor but itself makes a cluster, and one that was made goes on (section 5).

        None: one of the anchors may be this node, which has no address yet.
        """
        is_master = self._node.config.role.has_control_plane
        may_found = is_master and not desired.other_anchors(self._node, network)
        if is_master and not may_found and not self._pki.locked and not network.addresses:
            return None
        if may_found or (self._pki.locked and self._pki.subject.master):
            return Founder(self._board, self._keys, self._pki)
        contacts = Contacts(self._node, self._api, self._said, self._remembered)
        return Applicant(
            self._board,
            self._node,
            self._keys,
            self._pki,
            key=lambda: self._join_keys()[0],
            candidates=contacts.candidates,
            asker=self._asker,
            is_master=self._roster.is_master,
            told=self._clock.feed,
            seen=self._grants,
        )

    def _take_over(self) -> None:
        """What the enrolment has brought, or a renewal."""
        authority = self._pki.authority()
        self._roster.trust(authority)
        self._board.learn(fingerprint=self._pki.fingerprint)
        self._know_master(authority)
        kept = self._pki.signed_revocations()
        if kept is not None and revocations.read(kept).version > self._roster.revocations.version:
            self._revoke(kept)
        granted = self._pki.grant()
        if granted is not None and granted != self._standing.grant:
            self._standing.grant = granted
            if grant.read(granted, self._node.node).wireguard == self._keys.wireguard:
                self._board.solved(MESH_KEY)
            self._served.renew_signer()
            if self._membership is not None:
                self._membership.renew()
        self._rotation.change(self._keyring(), monotonic())

    def _know_master(self, authority: x509.Certificate) -> None:
        """The master that let us in is one without gossip, too: who was off while the key changed cannot read any."""
        found = self._pki.master()
        if found is not None and found[0] != self._node.node:
            with contextlib.suppress(PeerError):
                self._roster.enrol(grant.verify(found[1], found[0], authority))

    def _set_keys(self) -> None:
        ring = self._rotation.ring(monotonic())
        if self._membership is not None and ring and ring != self._told:
            self._told = ring
            self._membership.set_keys(ring)

    def _meet(self, network: View, now: datetime) -> None:
        """Whom gossip knows, into the mesh as far as they have proved who they are."""
        self._roster.learn(self._said(), now.timestamp() if self._clock.is_plausible else None)
        self._mesh.underlay(network.addresses)
        self._mesh.wish(self._roster.peers(), self._roster.revoked_keys())

    # --- in the background

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._gossip())
            await self._chosen.wait()
            assert self._enrolment is not None
            group.create_task(self._enrolment.run())
            await self._enrolled.wait()
            group.create_task(self._mesh.run(self._look_at_mesh))
            group.create_task(self._serve())
            group.create_task(self._times.run())
            if not isinstance(self._enrolment, Founder):
                group.create_task(self._copier.run())

    async def _serve(self) -> None:
        while True:
            try:
                doors = self._doors()
            except (UserError, OSError) as error:
                self._board.failed(SERVED, error, Reason.CERTIFICATE)
                await pause(CHOICE_SECONDS)
            else:
                self._board.solved(SERVED)
                await self._api.run(doors)

    def _doors(self) -> dict[str, Door | Inside]:
        inside = {TIME: peertime.door(self._clock.answer)}
        signs = isinstance(self._enrolment, Founder)
        if signs:
            inside |= Shelf(self._board, self._node.directory, self._roster.node_at).doors()
        handlers = self._orders.handlers() | copies.handlers(self._node.directory)
        return {**inside, **self._served.doors(self._proof, handlers, signs=signs)}

    def _look_at_mesh(self) -> None:
        """Changes come in bursts, one for each echo: a look a moment later sees them all."""
        if not self._is_look_due:
            self._is_look_due = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._see_mesh)

    def _see_mesh(self) -> None:
        self._is_look_due = False
        self._board.learn(peers=self._mesh.view())
        if self._mesh.handshake is not None:
            self._clock.feed(Handshake(self._mesh.handshake))

    async def _gossip(self) -> None:
        while not desired.may_gossip(self._node, self._board.facts):
            await self._board.changed()
        from hepto.node.membership import Membership  # its libraries are loaded while the services start

        self._membership = Membership(
            self._board,
            self._node,
            self._standing,
            self._roster,
            keys=self._rotation.ring(monotonic()),
            remembered=self._remembered,
            remember=self._remember,
            received=self._heard,
            shared=self._pki.signed_revocations() or b"",
        )
        self._board.work.set()
        await self._membership.run()

    def _heard(self, data: bytes) -> None:
        """A list of revocations that somebody passes on. Whoever sends it: the CA must have signed it."""
        if not self._pki.locked or not data.startswith(revocations.MAGIC):
            return
        try:
            found = revocations.verify(data, self._pki.authority())
            kept = self._pki.revocations()
        except PeerError as error:
            self._roster.refused[error.reason] += 1
            return
        except (UserError, OSError) as error:  # of the disk; they come again with every exchange
            self._log.warning("revocations cannot be verified", error=error)
            return
        if found.version <= max(self._roster.revocations.version, kept.version):
            return
        try:
            self._pki.keep_revocations(data)
        except OSError as error:  # it holds for this life, and comes again in the next
            self._log.warning("revocations cannot be kept", error=error)
        self._revoke(data)
        if isinstance(self._enrolment, Applicant):
            self._enrolment.renew(RENEWALS)  # there may be a new gossip key, which comes in no other way

    def _revoke(self, data: bytes) -> None:
        """Put out who is in this list, and pass it on. It is verified, and kept."""
        self._roster.revoke(revocations.read(data))
        if self._membership is not None:
            self._membership.share(data)
        self._board.work.set()

    def _look_again(self) -> None:
        """There is something fresh that nobody but the signer has seen: a keyring."""
        assert self._enrolment is not None, "it signs"
        self._enrolment.fresh = True
        self._board.work.set()

    # --- the keyring

    def _keyring(self) -> tuple[Secret, ...]:
        """Once enrolled, the master's keyring outranks the configured key, which only serves a first join."""
        configured = self._node.config.key
        return (self._pki.keyring() or configured) if configured else ()

    def _join_keys(self) -> tuple[Secret, ...]:
        return self._keyring() or (NO_KEY,)

    # --- whom to ask

    def _asker(self) -> client.Membership:
        authority = self._pki.authority() if self._pki.locked else None
        return client.Membership(self._node.config.cluster, self._proof, authority, clock=False)

    def _said(self) -> tuple[Said, ...]:
        return self._membership.said() if self._membership is not None else ()

    def _grants(self) -> tuple[tuple[str, bytes], ...]:
        return tuple((one.name, one.meta.grant) for one in self._said() if one.meta.grant is not None)

    def _up(self) -> tuple[str, ...]:
        return tuple(peer.name for peer in self._mesh.view().peers if peer.state is PeerState.UP)

    def _place(self, name: str) -> Candidate | None:
        """Where a peer's API is on the mesh."""
        found = self._api.find(name)
        places = (
            (place for place in found if place.address in self._node.plan.nodes) if isinstance(found, tuple) else ()
        )
        return next((Candidate(place.address, place.port) for place in places), None)
