"""The clock's machine: when to step, how far the time is to be trusted, what is saved, when the mesh key is worn out.

    FLOOR --- the master's time, or peers agree ---> PEERS --- chronyd has set it ---> SYNCHRONISED
       '----------------------- chronyd has set it -------------------------------------^

Promises: without NTP the clock is stepped by authenticated times only, never before the floor and never more than five
years past the image's build (so a node whose clock was at 2150 comes back, and nobody sends it there); one lying peer
decides nothing; after NTP was heard nobody else steps it, but a step that chronyd does not own up to is undone; only an
agreed time is saved, and written to the real-time clock, else the floor and the time that has passed since; deadlines
are in the future.
"""

from hepto.clock.agree import agree
from hepto.clock.floor import Floor, plausible, step
from hepto.clock.model import (
    Announce,
    AskPeers,
    Handshake,
    JoinTime,
    Look,
    MeshKeyMade,
    NewMeshKey,
    NotOurs,
    PeerTime,
    Read,
    Save,
    SetClock,
    SetRtc,
)
from hepto.machine import Confidence, Effect, Event, Level, Note, WallClock

LOOK_SECONDS = 10.0
"""Between two looks at the clock, which cost nothing, and at chronyd until it has a time."""
ASK_SOON_SECONDS = 0.5
"""Until chronyd is asked because of what has just been seen."""
ASK_CHRONY_SECONDS = 600.0
"""Between two questions to chronyd after it has a time."""
FIRST_ASK_SECONDS = 3.0
ASK_SECONDS = 30.0
ASK_AGAIN_SECONDS = 600.0
"""Until the first question to peers; before they agreed the pause doubles up to the second figure (the first question
may come before the mesh), afterwards it is the third: quartz drifts by seconds a day."""
ASKED = 7
OFFER_SECONDS = 120.0
"""So long a peer's time counts: a round's answers come within seconds, and a peer may correct itself."""
MAX_OFFERS = 32
STEP_SECONDS = 2.0
"""Errors below do no harm, steps do."""
JUMP_SECONDS = 1.0
"""What NTP's slewing cannot do between two looks (chronyd: at most 1/12)."""
SAVE_SECONDS = 600.0
SAVE_WITHOUT_BATTERY_SECONDS = 60.0
"""Where no battery keeps the time: after a power cut the clock is behind by so much, and peers refuse handshakes until
it has caught up."""
RTC_SECONDS = 6 * 3600.0
"""Between two writes to the real-time clock, which drifts by a second or two a day. chronyd has the kernel write it."""
PATIENCE = 30.0
"""Seconds of refused handshakes that are waited for: a new key and its grant take as long."""


class ClockMachine:
    """See the module's docstring; the four doors are those of hepto.machine.Machine."""

    def __init__(self, floor: Floor, handshake: float | None = None, *, keyed: bool = False):
        """`handshake` was saved with the floor; `keyed`: the mesh key is from an earlier boot."""
        self._floor = floor
        self._handshake = handshake
        self._keyed = keyed
        self._is_ours = True
        self._has_battery = True
        self._started = 0.0
        self._offset: float | None = None
        self._confidence = Confidence.FLOOR
        self._offers: dict[str, tuple[float, float]] = {}
        """By peer: its offset and when it was heard."""
        self._refused: set[str] = set()
        self._kept: float | None = handshake
        self._wants_key = False
        self._look = self._ask_chrony = self._ask = self._save = self._rtc = 0.0
        self._pause = FIRST_ASK_SECONDS
        self._effects: list[Effect] = []

    # --- the doors

    def handle(self, event: Event, now: float) -> None:
        """Take in one event. Before the first `Read` the others are dropped."""
        if isinstance(event, NotOurs):
            self._is_ours = False
            self._effects.append(Look(ask=False))
        elif self._offset is not None:
            self._take(event, now)
        elif isinstance(event, Read):
            self._start(event, now)

    def tick(self, now: float) -> None:
        """Look, ask and save when it is time to."""
        if self._offset is None:
            return
        if now >= self._look:
            self._look = now + LOOK_SECONDS
            ask = self._confidence < Confidence.SYNCHRONISED or now >= self._ask_chrony
            self._effects.append(Look(ask))
            if ask:
                self._ask_chrony = now + ASK_CHRONY_SECONDS
        if now >= self._ask:
            self._pause = min(2 * self._pause, ASK_SECONDS)
            self._ask = now + (self._pause if self._confidence is Confidence.FLOOR else ASK_AGAIN_SECONDS)
            if self._confidence < Confidence.SYNCHRONISED:
                self._effects.append(AskPeers(ASKED))
        if now >= self._save:
            self._keep(now)

    def deadline(self) -> float | None:
        """The next look, question or save; None before the first `Read`."""
        return None if self._offset is None else min(self._look, self._ask, self._save)

    def effects(self) -> tuple[Effect, ...]:
        """What is to be done since the last call."""
        effects, self._effects = tuple(self._effects), []
        return effects

    # --- what it knows

    @property
    def clock(self) -> WallClock | None:
        """The time and how far it is to be trusted; None before the first `Read`."""
        return None if self._offset is None else WallClock(self._offset, self._confidence)

    def is_plausible(self, now: float) -> bool:
        """True if the time may date a cluster's CA (trust.md section 5)."""
        agreed = self._confidence >= Confidence.PEERS
        return self._offset is not None and (agreed or plausible(now + self._offset, self._floor))

    def saved(self, now: float) -> Save:
        """What is to be kept over a reboot: also to be written when the agent ends."""
        if self._offset is None:
            return Save(self._floor.saved, self._handshake)
        unix = now + self._offset
        if self._confidence is Confidence.FLOOR or not plausible(unix, self._floor):
            # Whatever the clock shows, so much time has passed since the floor was true.
            unix = self._floor.instant + now - self._started
        return Save(unix if self._floor.instant else None, self._handshake)

    # --- events

    def _start(self, event: Read, now: float) -> None:
        self._offset, self._started = event.offset, now
        self._look = now + ASK_SOON_SECONDS  # after a restart of the agent chronyd knows already
        self._ask = now + FIRST_ASK_SECONDS
        wanted = step(now + event.offset, self._floor)
        self._has_battery = wanted is None
        if wanted is not None:
            self._set(wanted - now, now, "what is known to be past")
        self._announce()
        if self._keyed and self._floor.saved is None:
            self._want_key("the saved time was lost")
        self._check_key(now)
        self._keep(now)
        if event.synchronised and wanted is None:
            self._trust(Confidence.SYNCHRONISED, now)

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Read():
                self._heard(event, now)
            case JoinTime(offset):
                self._adopt(offset, now, "the master")
            case PeerTime():
                self._weigh(event, now)
            case Handshake(at) if self._handshake is None or at > self._handshake:
                self._handshake = at
                self._check_key(now)
                if self._kept is None or at > self._kept + SAVE_SECONDS:
                    self._keep(now)
            case MeshKeyMade():
                self._handshake, self._wants_key = None, False
                self._keep(now)

    def _heard(self, event: Read, now: float) -> None:
        if abs(event.offset - self._known) <= JUMP_SECONDS:
            self._offset = event.offset
        elif event.synchronised is None and self._is_ours:
            self._look = self._ask_chrony = now + ASK_SOON_SECONDS  # only chronyd can tell whether it was itself
        elif event.synchronised or self._confidence is Confidence.FLOOR or not self._is_ours:
            self._follow(event, now)
        else:
            self._set(self._known, now, "what it was before somebody set it")
            self._announce()
            return
        if event.synchronised:
            self._trust(Confidence.SYNCHRONISED, now)

    def _follow(self, event: Read, now: float) -> None:
        """Somebody who may do so has set the clock."""
        self._note(Level.WARNING, "clock was set", now, event.offset, "NTP" if event.synchronised else "the machine")
        self._offset = event.offset
        wanted = step(now + event.offset, self._floor)
        if wanted is not None and self._is_ours and not event.synchronised:
            self._set(wanted - now, now, "what is known to be past")
        self._announce()
        self._check_key(now)
        self._keep(now)

    def _weigh(self, event: PeerTime, now: float) -> None:
        if event.master and self._confidence is Confidence.FLOOR:
            self._adopt(event.offset, now, "the master")
            return
        self._offers = {name: held for name, held in self._offers.items() if held[1] > now - OFFER_SECONDS}
        if event.name in self._offers or len(self._offers) < MAX_OFFERS:
            self._offers[event.name] = event.offset, now
        own = self._known if self._confidence is Confidence.PEERS else None
        agreed = agree([offset for offset, _ in self._offers.values()], own)
        if agreed is not None:
            self._adopt(agreed, now, "peers")

    def _adopt(self, offset: float, now: float, who: str) -> None:
        """An authenticated time; it is nothing to a clock that NTP has set."""
        if self._confidence is Confidence.SYNCHRONISED:
            return
        is_accepted = self._floor.accepts(now + offset)
        is_step = abs(offset - self._known) >= STEP_SECONDS
        if not is_accepted or (is_step and not self._is_ours):
            if who not in self._refused:
                why = "a time that cannot be is refused" if not is_accepted else "the clock of the host differs"
                self._note(Level.WARNING, why, now, offset, who)
                self._refused.add(who)
            return
        if is_step:
            self._set(offset, now, who)
            self._rtc = now
            self._confidence = Confidence.PEERS
            self._announce()
            self._check_key(now)
            self._keep(now)
        self._trust(Confidence.PEERS, now)
        if self._is_ours and now >= self._rtc:
            self._rtc = now + RTC_SECONDS
            self._effects.append(SetRtc())

    # --- effects

    @property
    def _known(self) -> float:
        assert self._offset is not None, "started"
        return self._offset

    def _trust(self, confidence: Confidence, now: float) -> None:
        if confidence > self._confidence:
            self._confidence = confidence
            self._announce()
            self._keep(now)

    def _set(self, offset: float, now: float, who: str) -> None:
        self._note(Level.WARNING, "clock is set", now, offset, who)
        self._offset = offset
        self._effects.append(SetClock(offset))

    def _announce(self) -> None:
        self._effects.append(Announce(WallClock(self._known, self._confidence)))

    def _keep(self, now: float) -> None:
        self._save = now + (SAVE_SECONDS if self._has_battery else SAVE_WITHOUT_BATTERY_SECONDS)
        self._kept = self._handshake
        self._effects.append(self.saved(now))

    def _check_key(self, now: float) -> None:
        if self._handshake is not None and now + self._known < self._handshake - PATIENCE:
            self._want_key("its newest handshake is dated later than it is now")

    def _want_key(self, why: str) -> None:
        if not self._wants_key:
            self._wants_key = True
            self._effects.append(NewMeshKey(why))

    def _note(self, level: Level, what: str, now: float, offset: float, who: str) -> None:
        fields = (("from", str(int(now + self._known))), ("to", str(int(now + offset))), ("by", who))
        self._effects.append(Note(level, what, fields))
