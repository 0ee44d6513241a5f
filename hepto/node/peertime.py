"""Peers' times over the mesh: asks those that are up for theirs, and answers with this node's.

Promises: who is asked is verified twice, by the address on the mesh and by its certificate; a peer that does not
answer, or not in time, costs nobody else's answer.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from hepto.api import client, routes
from hepto.api.client import Candidate, Membership
from hepto.api.exchange import Caller, CallError, Failure
from hepto.api.routes import Inside
from hepto.clock import times
from hepto.clock.model import PeerTime
from hepto.edge.http_server import Response
from hepto.edge.pump import now
from hepto.errors import PeerError, UserError
from hepto.log import Log
from hepto.node.timekeeping import Timekeeper

SECONDS: Final = 10.0
"""For one peer, with all of TLS."""
JSON: Final = "application/json"


def door(answer: Callable[[], bytes]) -> Inside:
    """POST /v1/time, for peers on the mesh only."""

    async def open_(body: bytes, peer: IPv6Address) -> Response:
        del body, peer
        return Response(200, answer(), JSON)

    return Inside(open_)


class PeerTimes:
    """Asks on behalf of `clock`. `up` gives the names of the peers that are up, `find` where a peer's API is."""

    def __init__(
        self,
        clock: Timekeeper,
        up: Callable[[], tuple[str, ...]],
        find: Callable[[str], Candidate | None],
        membership: Callable[[], Membership],
    ):
        self.refused: Counter[str] = Counter()
        self._clock = clock
        self._up = up
        self._find = find
        self._membership = membership
        self._dice = random.SystemRandom()
        self._log = Log("clock")

    async def run(self) -> None:
        """Ask whenever the clock wants it, until cancelled."""
        while True:
            count = await self._clock.wanted()
            names = self._up()
            await asyncio.gather(*map(self._ask, self._dice.sample(names, min(count, len(names)))))

    async def _ask(self, name: str) -> None:
        place = self._find(name)
        if place is None:
            return
        try:
            membership = self._membership()
        except (UserError, OSError) as error:  # our own CA's file, which the enrolment reads as well, and names
            self._log.warning("no peer can be asked for the time", error=error)
            return
        try:
            async with asyncio.timeout(SECONDS):
                self._clock.feed(await ask(place, name, membership))
        except PeerError as error:
            self._count(name, error.reason)
        except CallError as error:
            self._count(name, error.failure)
        except OSError:  # TimeoutError is one
            self._count(name, Failure.SILENT)

    def _count(self, name: str, reason: str) -> None:
        self.refused[str(reason)] += 1
        self._log.debug("no time from a peer", node=name, reason=reason)


async def ask(place: Candidate, name: str, membership: Membership) -> PeerTime:
    """The time of the node `name`. Raises CallError, OSError, and PeerError for a time that does not count."""
    async with client.open_stream(place, None, membership) as stream:
        if client.node_of(stream, client.MASTER_URI, client.NODE_URI) != name:
            raise CallError(Failure.CERTIFICATE)
        master = client.is_master(stream)
        sent = now()
        status, body = await Caller(stream).post(routes.TIME, b"")
        received = now()
    if status != 200:
        raise CallError(Failure.REJECTED, f"status {status}")
    return times.offer(name, body, sent=sent, received=received, master=master)
