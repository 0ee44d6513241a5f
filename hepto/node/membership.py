"""Gossip on a node: starts it at the underlay's address, tells it of changes, says what is waited for, answers.

What it learns are claims. The roster judges them by their grants; nothing else here changes a peer or anybody's trust.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

from hepto.clock import driver as clock
from hepto.edge.pump import now, pause
from hepto.gossip import report, store
from hepto.gossip.compat import Compat
from hepto.gossip.driver import GossipDriver, Wire
from hepto.gossip.messages import Address, Status
from hepto.gossip.model import (
    Broadcast,
    Conflict,
    MemberChanged,
    Received,
    Remember,
    SetAddress,
    SetMeta,
    SetShared,
    Sighted,
)
from hepto.gossip.profile import PROFILES
from hepto.gossip.reasons import Reason as Refusal
from hepto.gossip.settings import Settings
from hepto.log import Log
from hepto.machine import Effect
from hepto.mesh.roster import is_endpoint
from hepto.net.model import View
from hepto.node import answers, desired
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.roster import Roster, Said
from hepto.node.standing import Standing
from hepto.options import BY_NAME
from hepto.values import Secret
from hepto.wireguard import Endpoint
from init.contract import paths
from init.contract.status import Reason

RETRY_SECONDS = 2.0
SAVE_SECONDS = 5.0
PROBLEM = "gossip"


class Membership:
    """Of one node that has an underlay. `remember` is called with what state.json shall hold.

    `received` is called with what members say to each other beyond gossip itself: revocations.
    """

    def __init__(
        self,
        board: Board,
        node: Identity,
        standing: Standing,
        roster: Roster,
        *,
        keys: tuple[Secret, ...],
        remembered: object,
        remember: Callable[[dict[str, Any]], None],
        received: Callable[[bytes], None],
        shared: bytes = b"",
    ):
        self._board = board
        self._node = node
        self._standing = standing
        self._roster = roster
        self._received = received
        self._shared = shared
        self._sighted: IPv6Address | None = None
        self._counter = 0
        self._is_member = False
        self._name = node.node.encode()
        self._compat = Compat(node.config.gossip_compat)
        self._log = Log("gossip")
        self._remember = remember
        self._remembered, complaint = store.load(remembered)
        self._to_save = asyncio.Event()
        if complaint:
            self._log.warning("what was remembered is not used", reason=complaint)
        self._network = self._view()
        self._driver = GossipDriver(
            self._settings(),
            Wire(self._compat.label(node.config.cluster), keys),
            self._compat.application(self._name, roster.verify),
            self._heard,
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._be_member())
            group.create_task(self._follow())
            group.create_task(self._save())
            group.create_task(answers.serve(self._report, paths.GOSSIP_SOCKET))

    def summary(self) -> dict[str, Any]:
        """For the status: how many members are in which state, how well we are, what was refused."""
        statuses = [claim.status for claim in self._driver.core.members()]
        counters = self._driver.core.counters
        return {
            "members": {report.status_word(status): statuses.count(status) for status in sorted(set(statuses))},
            "health": self._driver.core.health,
            "refused": {reason.value: counters[reason] for reason in Refusal if counters[reason]},
        }

    # --- what it is told

    def _view(self) -> View:
        network = self._board.facts.network
        assert network is not None, "it is started when there is one"
        return network

    def _settings(self) -> Settings:
        config = self._node.config
        return Settings(
            name=self._name,
            address=self._address(),
            meta=self._meta(),
            anchors=tuple(BY_NAME["anchor"].kind.render((anchor,)) for anchor in config.anchor),
            profile=PROFILES[config.profile],
            incarnation=store.first_incarnation(self._remembered, clock.now()),
            remembered=self._remembered.addresses,
            port=config.port,
        )

    def _address(self) -> Address:
        return Address(self._network.addresses[0].packed, self._node.config.port)

    def _meta(self) -> bytes:
        addresses = [address.packed for address in self._network.addresses]
        if self._sighted is not None:
            addresses.append(self._sighted.packed)
        self._counter = max(self._counter + 1, int(clock.now() * 1000))  # it must grow, whatever becomes of the clock
        return self._compat.meta(self._standing.meta(addresses, self._counter))

    def renew(self) -> None:
        """The standing has changed: tell everybody."""
        self._driver.feed(SetMeta(self._meta()))

    def share(self, revocations: bytes) -> None:
        """A newer list of revocations: tell everybody, now and with every exchange."""
        self._shared = revocations
        if self._is_member:
            self._driver.feed(Broadcast(revocations))
            self._driver.feed(SetShared(revocations))

    def set_keys(self, keys: tuple[Secret, ...]) -> None:
        """The keyring has changed; the first encrypts."""
        self._driver.set_keys(keys)

    def said(self) -> tuple[Said, ...]:
        """What gossip says of the other members that are ours, dead ones included."""
        found = []
        for claim in self._driver.core.members():
            meta = self._compat.read(claim.meta)
            if claim.name != self._name and meta is not None:
                found.append(Said(claim.name.decode(errors="replace"), IPv6Address(claim.address.ip), meta))
        return tuple(found)

    async def _follow(self) -> None:
        """The underlay may be renumbered."""
        while True:
            await self._board.changed()
            network = self._view()
            if network.addresses and network.addresses != self._network.addresses:
                self._network = network
                self._sighted = None
                self._driver.feed(SetAddress(self._address()))
                self.renew()

    # --- what it says

    async def _be_member(self) -> None:
        while True:
            try:
                await self._driver.run(self._begin)
            except OSError as error:
                what, hint = f"gossip cannot listen: {error}", "choose another hepto.port, or end what has it"
                self._board.problem(PROBLEM, Reason.INTERFACE, "", what, hint)
            await pause(RETRY_SECONDS)

    def _begin(self) -> None:
        self._is_member = True
        if self._shared:
            self._driver.feed(SetShared(self._shared))
        self._judge()

    def _heard(self, effect: Effect) -> None:
        match effect:
            case MemberChanged(change, claim):
                where = report.plain_address(claim.address)
                self._log.info(change.value, name=report.text(claim.name), address=where)
                self._judge()
                self._board.work.set()
            case Received(data):
                self._received(data)
            case Sighted(_, address):
                self._see(IPv6Address(address.ip))
            case Conflict(name, known, other):
                addresses = {"known": report.plain_address(known), "other": report.plain_address(other)}
                self._log.warning("two nodes have one name", name=report.text(name), **addresses)
            case Remember(incarnation, addresses):
                self._remembered = store.Remembered(incarnation, addresses)
                self._to_save.set()

    def _see(self, address: IPv6Address) -> None:
        """Somebody sees us at an address that is not ours: there is a translator. One more place to try us at."""
        known = (*self._network.addresses, self._sighted)
        if address not in known and is_endpoint(Endpoint(address, self._node.config.mesh_port), self._node.plan.prefix):
            self._sighted = address
            self.renew()

    def _judge(self) -> None:
        """Whether anchors are waited for."""
        anchors = desired.other_anchors(self._node, self._network)
        live = sum(claim.status <= Status.SUSPECT for claim in self._driver.core.members())
        if not anchors or live > 1:
            self._board.solved(PROBLEM)
            return
        named = BY_NAME["anchor"].kind.render(anchors)
        hint = f"check that one of them runs, and that UDP and TCP reach its port {self._node.config.port}"
        self._board.problem(PROBLEM, Reason.ANCHOR, named, "no member has answered yet", hint)

    async def _save(self) -> None:
        while True:
            await self._to_save.wait()
            self._to_save.clear()
            self._remember(store.dump(self._remembered))
            await pause(SAVE_SECONDS)

    def _report(self) -> dict[str, Any]:
        return report.report(self._driver.core, self._name, now())
