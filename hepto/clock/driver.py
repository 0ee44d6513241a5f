"""Reads and sets the clock of the machine, asks chronyd whether it has done so, and drives the clock's machine."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from hepto.clock import chrony
from hepto.clock.floor import Floor, step
from hepto.clock.machine import JUMP_SECONDS, ClockMachine
from hepto.clock.model import Announce, AskPeers, Look, NewMeshKey, NotOurs, Read, Save, SetClock, SetRtc
from hepto.edge import process, rtc
from hepto.edge.pump import Pump
from hepto.edge.pump import now as monotonic
from hepto.log import Log
from hepto.machine import Effect, Event, Note, WallClock


def now() -> float:
    """Unix time as the machine has it."""
    return time.time()


def raise_to(floor: Floor) -> bool:
    """Set the clock forward to the floor if it is before it; True if it was. Raises OSError (host mode: not ours)."""
    wanted = step(time.time(), floor)
    if wanted is None:
        return False
    time.clock_settime(time.CLOCK_REALTIME, wanted)
    Log("clock").warning("clock was before the image's build or the last saved time, set forward", to=int(wanted))
    return True


async def synchronised() -> bool | None:
    """True if NTP has set the clock. None if chronyd is there and does not answer: it may have set it."""
    if not Path(chrony.SOCKET).exists():
        return False
    try:
        found = await process.run(("/usr/bin/chronyc", "-c", "-h", chrony.SOCKET, "tracking"), timeout=5.0)
    except OSError:
        return None
    return chrony.synchronised(found.stdout, time.time())


class ClockDriver:
    """The node's clock. None of the callables may block.

    `announce` hears every change, `save` writes, `ask_peers` asks so many of them and feeds what `times.offer` makes
    of the answers, `new_key` replaces the mesh key (giving why) and feeds `MeshKeyMade`.
    """

    def __init__(
        self,
        machine: ClockMachine,
        *,
        announce: Callable[[WallClock], None],
        save: Callable[[Save], None],
        ask_peers: Callable[[int], None],
        new_key: Callable[[str], None],
    ):
        self._machine = machine
        self._announce = announce
        self._save = save
        self._ask_peers = ask_peers
        self._new_key = new_key
        self._log = Log("clock")
        self._has_rtc = True
        self._looks: asyncio.Queue[bool] = asyncio.Queue()
        self._pump: Pump[Event, Effect] = Pump(machine, self._perform)

    def start(self) -> None:
        """Read the clock and apply the floor: before anything that is dated, and before any peer is set."""
        self._pump.feed(Read(_offset()))

    async def run(self) -> None:
        """Look at the clock whenever the machine wants it, until cancelled."""
        try:
            while True:
                ask = await self._looks.get()
                before = _offset()
                answer = await synchronised() if ask else None
                offset = _offset()
                # An answer that was given before a step says nothing of the time after it: the machine asks again.
                self.feed(Read(offset, answer if abs(offset - before) < JUMP_SECONDS else None))
        finally:
            self._pump.close()

    def feed(self, event: Event) -> None:
        """`PeerTime`, `JoinTime`, `Handshake` or `MeshKeyMade`."""
        self._pump.feed(event)

    @property
    def clock(self) -> WallClock | None:
        """The time as it was last announced, and how far it is to be trusted."""
        return self._machine.clock

    @property
    def is_plausible(self) -> bool:
        """True if the time may date a cluster's CA."""
        return self._machine.is_plausible(monotonic())

    def saved(self) -> Save:
        """What to write when the agent ends."""
        return self._machine.saved(monotonic())

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Look(ask):
                self._looks.put_nowait(ask)
            case SetClock(offset):
                self._set(offset)
            case SetRtc():
                self._set_rtc()
            case Announce(clock):
                self._announce(clock)
            case Save():
                self._save(effect)
            case AskPeers(count):
                self._ask_peers(count)
            case NewMeshKey(why):
                self._new_key(why)
            case Note():
                self._log.note(effect)

    def _set(self, offset: float) -> None:
        try:
            time.clock_settime(time.CLOCK_REALTIME, monotonic() + offset)
        except PermissionError:  # a container has its host's clock
            asyncio.get_running_loop().call_soon(self.feed, NotOurs())

    def _set_rtc(self) -> None:
        """Many virtual machines and all containers have none: said once, and tried again when it is wanted again."""
        try:
            rtc.write(time.time())
        except OSError as error:
            if self._has_rtc:
                self._log.info("the real-time clock cannot be set", error=error)
            self._has_rtc = False


def _offset() -> float:
    return time.time() - monotonic()
