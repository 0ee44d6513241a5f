"""The mesh's machine: which peers the kernel shall have, where it shall call them, by which routes they are reached.

It writes differences only, against the last dump and what it has ordered since, so that an agent that is started anew
beside an unchanged mesh writes nothing, and what failed is ordered again after the next dump. Nothing is ordered before
the first dump. What one peer goes through is told in link.py, who is a peer at all in roster.py.
"""

import random
from dataclasses import replace
from ipaddress import IPv6Address

from hepto.machine import Effect, Event, Level, Note
from hepto.mesh.inbound import LISTEN, Inbound
from hepto.mesh.link import TRY_SECONDS, Link
from hepto.mesh.model import (
    Echoed,
    Kernel,
    Look,
    Own,
    Peer,
    Peers,
    PeerView,
    RemovePeer,
    RemoveRoute,
    Routes,
    SetPeer,
    SetRoute,
    State,
    Underlay,
    View,
)
from hepto.mesh.mtu import Prober
from hepto.mesh.plan import RouteTable, change, route_changes, superseded
from hepto.mesh.roster import Roster, admit, is_endpoint
from hepto.wireguard import Endpoint, KernelPeer

KEEPALIVE = 25
"""Seconds. A home router's firewall translates nothing in IPv6 and forgets who may come in all the same; half a minute
is the shortest such memory in the field (the WireGuard documentation's figure)."""
SOON = 2.0
"""Seconds between two dumps while something was tried a moment ago."""
SELDOM = 30.0
MOST_NOTES = 16
"""Peers that are named in the log after one dump; of more only the number."""


class MeshMachine:
    """See the module's docstring; the four doors are those of hepto.machine.Machine."""

    def __init__(self, own: Own, dice: random.Random):
        self._own = own
        self._dice = dice
        self._claims: Roster = {}
        self._roster: Roster = {}
        self._refused: tuple[tuple[str, str], ...] = ()
        self._revoked: frozenset[bytes] = frozenset()
        self._addresses: tuple[IPv6Address, ...] = ()
        self._by_key: dict[bytes, Peer] = {}
        self._links: dict[bytes, Link] = {}
        self._prober = Prober(dice)
        self._inbound = Inbound()
        self._present: dict[bytes, KernelPeer] | None = None
        self._dumped: float | None = None
        self._routes: RouteTable | None = None
        self._routes_read = float("-inf")
        self._look = 0.0
        self._effects: list[Effect] = []

    def handle(self, event: Event, now: float) -> None:
        """Take in a wish, or what the kernel has."""
        match event:
            case Peers(peers, revoked):
                self._wish(peers, revoked, now)
            case Kernel(peers, wall):
                self._observe(peers, wall, now)
            case Routes(routes):
                self._routes, self._routes_read = dict(routes), now
                return  # a dump of the device follows
            case Underlay(addresses, mtu):
                moved = bool(self._addresses) and set(addresses) != set(self._addresses)
                if moved:
                    self._inbound.moved()
                self._addresses = addresses
                self._prober.underlay(mtu, now, moved=moved)
            case Echoed():
                key = self._prober.echoed(event, now)
                self._settle_paths(() if key is None else (key,))
                return
            case _:
                raise TypeError(f"not an event of the mesh: {event!r}")
        self._settle(now)

    def tick(self, now: float) -> None:
        """Look again."""
        if now >= self._look:
            self._effects.append(Look(routes=now >= self._routes_read + SELDOM))
            self._look = now + SOON  # until the dump says more
        self._settle_paths(self._prober.tick(now))

    def deadline(self) -> float | None:
        """The next look, the next probe or the end of waiting for its answer."""
        probe = self._prober.deadline()
        return self._look if probe is None else min(self._look, probe)

    def effects(self) -> tuple[Effect, ...]:
        """What to do, in order."""
        effects, self._effects = tuple(self._effects), []
        return effects

    def view(self) -> View:
        """Each peer, for the status."""
        present = self._present or {}
        return View(
            tuple(self._view(peer, present.get(peer.public_key)) for peer in self._roster.values()), self._refused
        )

    def _view(self, peer: Peer, kernel: KernelPeer | None) -> PeerView:
        link = self._links.get(peer.public_key, Link(0.0))
        endpoint = kernel.endpoint if kernel is not None else None
        reason = str(self._prober.finding(peer.public_key))
        if link.state is not State.UP:
            reason = "no endpoint is known" if endpoint is None else "no answer" if link.state is State.DOWN else ""
        mtu = self._prober.size(peer.public_key)
        return PeerView(peer.name, peer.address, link.state, link.since, endpoint, mtu, reason)

    # --- facts

    def _wish(self, peers: tuple[Peer, ...], revoked: frozenset[bytes], now: float) -> None:
        before, self._revoked = self._roster, revoked
        self._claims, self._roster, refusals = admit(self._claims, peers, revoked, self._own)
        refused = tuple(sorted((name, str(reason)) for name, reason in refusals.items()))
        for name, reason in refused:
            if (name, reason) not in self._refused:
                self._note(Level.WARNING, "peer refused", ("node", name), ("reason", reason))
        self._refused = refused
        self._by_key = {peer.public_key: peer for peer in self._roster.values()}
        self._prober.forget(self._links.keys() - self._by_key.keys())
        links = self._links = {key: self._links.get(key) or Link(now) for key in self._by_key}
        for peer in self._roster.values():
            old = before.get(peer.name)
            if old is not None and peer.endpoints[:1] != old.endpoints[:1]:
                links[peer.public_key].hear_of(now)

    def _observe(self, peers: tuple[KernelPeer, ...], wall: float, now: float) -> None:
        before, self._present = self._present or {}, {peer.public_key: peer for peer in peers}
        knew = self._inbound.is_seen
        self._inbound.observe(self._present, before, now)
        if self._inbound.is_seen and not knew:
            self._note(Level.INFO, "unsolicited packets come in: no keepalives are needed")
        changed: list[tuple[str, Link]] = []
        for peer in self._roster.values():
            kernel = self._present.get(peer.public_key)
            link = self._links[peer.public_key]
            if kernel is None:
                continue
            state = link.state
            called = link.observe(kernel, wall, now, self._dumped)
            link.judge(now, called=called)
            if link.is_live(now):
                present = self._routes.get(peer.allowed[0]) if self._routes is not None else None
                self._prober.heard(peer.public_key, peer.address, kernel.endpoint, present, now)
            else:
                self._prober.lost(peer.public_key)
            if link.state is not state:
                changed.append((peer.name, link))
        self._dumped = now
        self._tell(changed)

    def _tell(self, changed: list[tuple[str, Link]]) -> None:
        if len(changed) > MOST_NOTES:
            states = [link.state for _, link in changed]
            fields = tuple((str(state), str(states.count(state))) for state in State)
            self._note(Level.INFO, "peers changed", *fields)
            return
        for name, link in changed:
            self._note(Level.INFO, f"peer {link.state}", ("node", name))

    # --- decisions

    def _settle(self, now: float) -> None:
        if self._present is None or self._routes is None:
            return
        for order in tuple(superseded(self._roster, self._revoked, self._present, self._routes)):
            self._order(order)
        for peer in self._roster.values():
            self._settle_peer(peer, now)
        for peer in self._roster.values():
            self._settle_routes(peer)
        self._look = self._next_look(now)

    def _settle_peer(self, peer: Peer, now: float) -> None:
        assert self._present is not None
        kernel = self._present.get(peer.public_key)
        if kernel is None and self._inbound.is_to_be_heard(now):
            self._links[peer.public_key].listen(now + LISTEN)
        silent = self._inbound.is_seen or self._links[peer.public_key].is_listening(now)
        order = change(peer, kernel, self._endpoint(peer, kernel, now), 0 if silent else KEEPALIVE)
        if order is not None:
            self._order(order)

    def _endpoint(self, peer: Peer, kernel: KernelPeer | None, now: float) -> Endpoint | None:
        """Where to call it from now on; None: where the kernel calls it."""
        if kernel is not None and now != self._dumped:
            return None  # only a dump of this instant tells that the kernel has not followed the peer meanwhile
        link = self._links[peer.public_key]
        if link.is_listening(now):
            return None
        current = kernel.endpoint if kernel is not None else None
        leave = kernel is not None and not link.failed
        if leave and current is not None and self._is_endpoint(current):
            return None
        candidates = self._candidates(peer, link)
        if leave and not candidates:
            return None
        return link.next(candidates, current, now, self._dice.uniform(0.8, 1.2))

    def _candidates(self, peer: Peer, link: Link) -> tuple[Endpoint, ...]:
        known = dict.fromkeys(item for item in peer.endpoints if self._is_endpoint(item))
        if link.worked is not None and self._is_endpoint(link.worked):
            known.setdefault(link.worked)
        return tuple(known)

    def _is_endpoint(self, endpoint: Endpoint) -> bool:
        return is_endpoint(endpoint, self._own.prefix, self._addresses)

    def _settle_routes(self, peer: Peer) -> None:
        assert self._routes is not None
        mtu = self._prober.wanted(peer.public_key, self._routes.get(peer.allowed[0]))
        for order in tuple(route_changes(peer, mtu, self._routes)):
            self._order(order)

    def _settle_paths(self, keys: tuple[bytes, ...]) -> None:
        for key in keys:
            if key in self._by_key and self._routes is not None:
                self._settle_routes(self._by_key[key])
        self._effects.extend(self._prober.orders())

    def _next_look(self, now: float) -> float:
        before = self._dumped if self._dumped is not None else now
        look = before + SELDOM
        for link in self._links.values():
            if link.moved:
                look = min(look, before + SOON)
            if link.deadline is not None:
                recent = now < link.changed + TRY_SECONDS
                look = min(look, before + SOON if recent else max(link.deadline, before + SOON))
        return look

    # --- orders: what is given out is taken for done until the next dump says otherwise

    def _order(self, order: SetPeer | RemovePeer | SetRoute | RemoveRoute) -> None:
        assert self._present is not None
        assert self._routes is not None
        self._effects.append(order)
        match order:
            case SetPeer(key, endpoint, allowed, keepalive):
                kernel = self._present.get(key, KernelPeer(key))
                self._present[key] = replace(
                    kernel,
                    endpoint=kernel.endpoint if endpoint is None else endpoint,
                    allowed=kernel.allowed if allowed is None else allowed,
                    keepalive=kernel.keepalive if keepalive is None else keepalive,
                )
            case RemovePeer(key):
                del self._present[key]
            case SetRoute(destination, mtu):
                self._routes[destination] = mtu
            case RemoveRoute(destination):
                self._routes.pop(destination, None)

    def _note(self, level: Level, what: str, *fields: tuple[str, str]) -> None:
        self._effects.append(Note(level, what, fields))
