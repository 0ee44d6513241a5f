"""The node's clock among the agent's other parts: what it begins with, what it hears, and what it wants of others.

    state.json, certificates -> floor -> clock <- handshakes, joins, peers' times
                                           '-> state.json, facts.clock, a question to peers, a new mesh key

Promises: the floor holds before anything is dated and before any peer of the mesh is set; what the clock wants stays
wanted until somebody has done it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from hepto.clock import driver, times
from hepto.clock.driver import ClockDriver
from hepto.clock.floor import Floor
from hepto.clock.machine import ClockMachine
from hepto.clock.model import MeshKeyMade, Save
from hepto.log import Log
from hepto.machine import Confidence, Event, WallClock
from hepto.mesh.driver import has_key
from hepto.node.board import Board
from hepto.node.facts import Clock
from hepto.node.state import State

NEWEST_CERTIFICATE = "pki/node-api.pem"
"""Every node has it, and a new one each day or week; the grant is half a year old."""


class Timekeeper:
    """Of one node. `remembered` is what an earlier life has kept, `save` keeps what the next one needs."""

    def __init__(
        self, board: Board, directory: str, remembered: State, built: float | None, save: Callable[[Save], None]
    ):
        """`directory` is the node's data directory; nothing is done yet."""
        self._board = board
        self._log = Log("clock")
        self._questions = 0
        self._wanted = asyncio.Event()
        self.worn = ""
        """Why another mesh key has to be made; empty when none has to."""
        floor = Floor(built, remembered.clock, issued(directory))
        # Without an image nothing is known to be past, so nothing is saved: that would not tell that it was lost.
        keyed = built is not None and has_key(directory)
        self._driver = ClockDriver(
            ClockMachine(floor, remembered.handshake, keyed=keyed),
            announce=self._announce,
            save=save,
            ask_peers=self._ask,
            new_key=self._wear,
        )

    def start(self) -> None:
        """Apply the floor, then tell how far the time is to be trusted."""
        self._driver.start()

    async def run(self) -> None:
        """Until cancelled."""
        await self._driver.run()

    def feed(self, event: Event) -> None:
        """`PeerTime`, `JoinTime` or `Handshake`."""
        self._driver.feed(event)

    @property
    def is_plausible(self) -> bool:
        """True if the time may date a cluster's CA."""
        return self._driver.is_plausible

    def saved(self) -> Save:
        """What to keep when the agent ends."""
        return self._driver.saved()

    def answer(self) -> bytes:
        """The time as a peer is told it."""
        clock = self._driver.clock
        return times.answer(driver.now(), clock.confidence if clock is not None else Confidence.FLOOR)

    async def wanted(self) -> int:
        """Wait until peers are to be asked; how many. What was wanted meanwhile is one question."""
        await self._wanted.wait()
        self._wanted.clear()
        return self._questions

    def key_made(self) -> None:
        """Another mesh key is durable and in use."""
        self.worn = ""
        self._driver.feed(MeshKeyMade())

    def _announce(self, clock: WallClock) -> None:
        self._board.learn(clock=word(clock.confidence, plausible=self._driver.is_plausible))
        self._board.work.set()

    def _ask(self, count: int) -> None:
        self._questions = count
        self._wanted.set()

    def _wear(self, why: str) -> None:
        self._log.warning("the mesh key is of no more use", reason=why)
        self.worn = why
        self._board.work.set()


def word(confidence: Confidence, *, plausible: bool) -> Clock:
    """For the status."""
    match confidence:
        case Confidence.SYNCHRONISED:
            return Clock.SYNCHRONISED
        case Confidence.PEERS:
            return Clock.PEERS
        case Confidence.FLOOR:
            return Clock.PLAUSIBLE if plausible else Clock.FLOOR


def issued(directory: str) -> float | None:
    """Unix time from which on this node's newest certificate is valid; None before it has one that can be read."""
    from cryptography import x509

    with contextlib.suppress(OSError, ValueError):
        data = Path(directory, NEWEST_CERTIFICATE).read_bytes()
        return x509.load_pem_x509_certificate(data).not_valid_before_utc.timestamp()
    return None
