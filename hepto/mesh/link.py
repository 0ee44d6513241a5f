"""What is remembered of one peer between two dumps: is it heard, and which of its endpoints is to be tried next.

    UNKNOWN   nothing tried yet, or nothing to say     -> UP when a handshake is completed
    UP        a handshake within the last 180 s        -> its endpoint is the kernel's affair
    DOWN      called in vain for 15 s                  -> the next endpoint, for 15 s at first, for a minute later on

The kernel follows a peer that moves by itself (every packet with its key tells where it is), and is right within the
180 s in which a session lives: another endpoint than the kernel's is set only after that. An endpoint that we have set
and that the kernel has not moved is our affair: if the peer says itself, in a newer record, that it is elsewhere, and
does not answer there, another is tried. (When both ends are renumbered at once, neither can tell the other by packets.)
"""

from dataclasses import dataclass

from hepto.mesh.model import State
from hepto.wireguard import Endpoint, KernelPeer

SESSION_SECONDS = 180.0
"""Nobody accepts packets of an older handshake (the WireGuard paper, section 6.1: REJECT_AFTER_TIME)."""
TRY_SECONDS = 15.0
"""For a new endpoint: three handshakes (REKEY_TIMEOUT is 5 s)."""
LONGEST_TRY_SECONDS = 60.0


@dataclass(slots=True)
class Link:
    since: float
    state: State = State.UNKNOWN
    until: float = 0.0
    """The session ends then, by the monotonic clock."""
    deadline: float | None = None
    """The endpoint in use counts as failed then."""
    changed: float = float("-inf")
    """When we last set an endpoint."""
    failed: bool = False
    """It has, and the next one is due."""
    news: bool = False
    """There is a new best endpoint: begin with that."""
    listening: float = float("-inf")
    """Until then it is not called."""
    rounds: int = 0
    """How often all endpoints have been tried in vain."""
    worked: Endpoint | None = None
    """The last endpoint that answered; it may be one that only the kernel has seen."""
    handshake: float = 0.0
    sent: int = 0
    received: int = 0
    ours: Endpoint | None = None
    """The one that we have set last."""
    moved: bool = False
    """It says that it is elsewhere, and has not been heard since."""
    asked: float | None = None
    """When something was sent to it first that it has not answered."""
    seen: bool = False

    def observe(self, kernel: KernelPeer, wall: float, now: float, before: float | None) -> bool:
        """Take in a dump; True: it was called since the last one. `before` is when that was, if there was one.

        The clock of the wall may have been set meanwhile. That a handshake is another than last time says that it is
        new, whatever its time; only the first dump has nothing but the time to judge by.
        """
        if kernel.handshake != self.handshake and kernel.handshake:
            age = max(0.0, wall - kernel.handshake)
            if self.seen and before is not None:
                age = min(age, now - before)
            self.until = now - age + SESSION_SECONDS
        called = kernel.keepalive > 0 or kernel.sent > self.sent
        if kernel.received > self.received or kernel.endpoint != self.ours:
            self.moved, self.asked = False, None
        elif kernel.sent > self.sent and self.asked is None:
            self.asked = now
        self.received = kernel.received
        self.handshake, self.sent, self.seen = kernel.handshake, kernel.sent, True
        if self.is_live(now):
            self.worked = kernel.endpoint
        return called

    def is_live(self, now: float) -> bool:
        """True while the kernel's endpoint is not to be touched."""
        silent = self.moved and self.asked is not None and now >= self.asked + TRY_SECONDS
        return now < self.until and not silent

    def judge(self, now: float, *, called: bool) -> None:
        """Set the state, and whether another endpoint is due."""
        self.failed = False
        if self.is_live(now):
            self._become(State.UP, now)
            self.deadline, self.rounds, self.news = None, 0, False
            return
        if self.state is State.UP:
            # The kernel has called for a minute already: it begins two minutes into a session.
            self.deadline = now if called else None
        elif self.deadline is None and called:
            self.deadline = now + TRY_SECONDS
        if self.deadline is None:
            self._become(State.UNKNOWN, now)
        elif now >= self.deadline:
            self.failed = True
            if not self.news:
                self._become(State.DOWN, now)

    def listen(self, until: float) -> None:
        """A new peer gets time to call first, before it is called."""
        self.listening = self.deadline = until
        self.news = True

    def is_listening(self, now: float) -> bool:
        """True while it has not called, and its time is not up."""
        return now < self.listening and not self.is_live(now)

    def hear_of(self, now: float) -> None:
        """Another endpoint is the best now. Of a peer that answers where it is that is of no interest."""
        if self.is_live(now):
            self.moved, self.asked = True, None
        else:
            self.news, self.deadline, self.rounds = True, now, 0

    def next(
        self, candidates: tuple[Endpoint, ...], current: Endpoint | None, now: float, spread: float
    ) -> Endpoint | None:
        """The endpoint to be tried from now on, None if there is none. `spread` (about 1) keeps nodes out of step."""
        position = 0
        if current in candidates and not self.news:
            position = (candidates.index(current) + 1) % len(candidates)
            self.rounds += position == 0
        elif not candidates:
            self.rounds += 1
        pause = TRY_SECONDS * 2 ** max(0, self.rounds - 1) if self.rounds < 4 else LONGEST_TRY_SECONDS
        self.deadline = now + min(LONGEST_TRY_SECONDS, pause) * (spread if self.rounds else 1.0)
        self.failed = self.news = False
        endpoint = candidates[position] if candidates else None
        if endpoint != current:
            self.changed, self.ours = now, endpoint
        return endpoint

    def _become(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self.since = state, now
