"""One service's life: what is wanted, what is the case, and the one move that brings them together. Pure.

Two tables are the whole logic. `MOVES` says, for each pair of wanted and actual state, what is to be done; `NEXT` says
which state an event leads to. An event that cannot happen in a state raises IllegalEventError: a defect, caught by the
loop.

    down ----start----> starting --exec done--> up --ready--> ready
     ^  \\                  |                     |  <-unready--  |
     |   waiting (for `after`)                   '------+-------'
     |                                                  | stop order: SIGTERM, later SIGKILL
     |                                              stopping
     '------- the control group is empty ---------------'

An end that nobody asked for leads to `backoff` (a new start follows), `failed` (none follows), `ready` (a oneshot that
did its work) or `down` (a daemon that may end). After the main process's end, what is left in the control group is
killed first (scope cgroup): state `stopping`, and only an empty group is started into, so no service ever runs twice.
"""

from enum import Enum

from init.contract.service import ReadyKind, Scope, Service, Type, Wanted, When
from init.contract.status import LastExit, Reason, ServiceStatus, State, Wait
from init.history import History
from init.tree import back_off

REMAINS_POLL = 0.05
"""Seconds between two looks at a control group whose main process is gone."""


class IllegalEventError(RuntimeError):
    """An event that cannot happen in this state. The state is left as it was."""


class Move(Enum):
    KEEP = "keep"
    START = "start"  # when everything in `after` is ready
    RETRY = "retry"  # START, once the back-off is over
    STOP = "stop"  # when nothing that is to stop too depends on it
    REST = "rest"  # it has no process: it is down


class Event(Enum):
    FORKED = "forked"
    EXECUTED = "executed"
    BECAME_READY = "became ready"
    LOST_READINESS = "lost readiness"
    TOLD_TO_STOP = "told to stop"
    RESTED = "rested"
    BLOCKED = "blocked"


MOVES: dict[tuple[Wanted, State], Move] = {
    (Wanted.UP, State.DOWN): Move.START,
    (Wanted.UP, State.WAITING): Move.START,
    (Wanted.UP, State.STARTING): Move.KEEP,
    (Wanted.UP, State.UP): Move.KEEP,
    (Wanted.UP, State.READY): Move.KEEP,
    (Wanted.UP, State.STOPPING): Move.KEEP,
    (Wanted.UP, State.BACKOFF): Move.RETRY,
    (Wanted.UP, State.FAILED): Move.KEEP,
    (Wanted.DOWN, State.DOWN): Move.KEEP,
    (Wanted.DOWN, State.WAITING): Move.REST,
    (Wanted.DOWN, State.STARTING): Move.STOP,
    (Wanted.DOWN, State.UP): Move.STOP,
    (Wanted.DOWN, State.READY): Move.STOP,
    (Wanted.DOWN, State.STOPPING): Move.KEEP,
    (Wanted.DOWN, State.BACKOFF): Move.REST,
    (Wanted.DOWN, State.FAILED): Move.REST,
}

NEXT: dict[Event, dict[State, State]] = {
    Event.FORKED: {
        State.DOWN: State.STARTING,
        State.WAITING: State.STARTING,
        State.BACKOFF: State.STARTING,
    },
    Event.EXECUTED: {
        State.STARTING: State.UP,
        State.STOPPING: State.STOPPING,
    },
    Event.BECAME_READY: {
        State.STARTING: State.READY,
        State.UP: State.READY,
        State.READY: State.READY,
        State.STOPPING: State.STOPPING,
    },
    Event.LOST_READINESS: {
        State.STARTING: State.STARTING,
        State.UP: State.UP,
        State.READY: State.UP,
        State.STOPPING: State.STOPPING,
    },
    Event.TOLD_TO_STOP: {
        State.STARTING: State.STOPPING,
        State.UP: State.STOPPING,
        State.READY: State.STOPPING,
    },
    Event.RESTED: {
        State.WAITING: State.DOWN,
        State.BACKOFF: State.DOWN,
        State.FAILED: State.DOWN,
        State.READY: State.DOWN,
        State.DOWN: State.DOWN,
    },
    Event.BLOCKED: {
        State.DOWN: State.WAITING,
        State.WAITING: State.WAITING,
        State.BACKOFF: State.WAITING,
    },
}


class Supervised:
    """A service under supervision. `now` is CLOCK_BOOTTIME everywhere."""

    def __init__(self, name: str, spec: Service, now: float):
        self.name = name
        self.spec = spec
        self.running: Service | None = None
        """The specification that the process was started with."""
        self.held = False
        """The operator said stop."""
        self.frozen = False
        """A shutdown is under way: nothing is started any more."""
        self.removed = False
        """The file is gone: stop, then forget."""
        self.state = State.DOWN
        self.since = now
        self.pid: int | None = None
        self.started: int | None = None
        """The process's start time in clock ticks: with the control group, who it is (a pid may be used again)."""
        self.starts = 0
        self.failures = 0
        self.last_exit: LastExit | None = None
        self.error = ""
        self.start_error = ""
        self.waits_for: Wait | None = None
        self.up_since = now
        self.history = History(now)
        self.due = now
        self.kill_at: float | None = None
        self.look_at: float | None = None
        self.finished = False
        """It ended of its own will and is not to be started again."""
        self._again = False
        self._asked = False
        self._ended: LastExit | None = None
        self.changed = True

    # -- what is wanted ----------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> Wanted:
        """File, operator and removal taken together."""
        return Wanted.DOWN if self.held or self.removed or self._again else self.spec.wanted

    def configure(self, spec: Service, now: float) -> None:
        """A good service file was read."""
        if self.spec.restarts(spec):  # first: what is raised here must not leave the old process with the new file
            self.restart(now, asked=False)
        elif self.state is State.FAILED and self.spec != spec:
            self._forgive(now)
        self.spec, self.error, self.removed = spec, "", False
        self.changed = True

    def misconfigured(self, error: str) -> None:
        """A bad service file was read: the last good one stays in force."""
        self.changed = self.changed or error != self.error
        self.error = error

    def remove(self) -> None:
        """The file is gone."""
        self.removed = True
        self.changed = True

    def hold(self) -> None:
        """The operator or a shutdown wants it down."""
        self.held = True
        self.changed = True

    def release(self, now: float) -> None:
        """The operator wants it to follow its file again."""
        self.held = False
        self._forgive(now)

    def restart(self, now: float, *, asked: bool = True) -> None:
        """A new process, as soon as the old one has ended."""
        if asked:
            self.held = False
        if self.alive:
            self._again = True
        self._forgive(now)
        if self.state is State.READY and not self.alive:
            self._to(Event.RESTED, now)

    def _forgive(self, now: float) -> None:
        """Start without a back-off next time."""
        self.failures, self.due, self.finished = 0, now, False
        self.changed = True
        if self.state is State.FAILED:
            self._to(Event.RESTED, now)

    # -- what is the case --------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """True if there is a process, or what it left behind."""
        return self.state in (State.STARTING, State.UP, State.STOPPING) or (
            self.state is State.READY and self.pid is not None
        )

    def forked(self, pid: int, started: int | None, now: float) -> None:
        """The child exists."""
        self._to(Event.FORKED, now)
        self.pid, self.started, self.running, self.starts = pid, started, self.spec, self.starts + 1
        self.up_since, self._ended, self.waits_for = now, None, None
        self.history.started(now)

    def executed(self, now: float) -> None:
        """The program runs."""
        self._to(Event.EXECUTED, now)
        self.start_error = ""
        if self.spec.ready.kind is ReadyKind.NONE and self.state is State.UP:
            self.ready(now)

    def ready(self, now: float) -> None:
        """It is ready, as its kind of readiness says."""
        self._to(Event.BECAME_READY, now)
        self.waits_for = None
        self.history.ready(now)

    def unready(self, now: float) -> None:
        """It is not ready any longer."""
        self._to(Event.LOST_READINESS, now)

    def told_to_stop(self, now: float) -> None:
        """The stop signal was sent."""
        self._to(Event.TOLD_TO_STOP, now)
        self.kill_at = now + (self.running or self.spec).stop.timeout

    def killed(self) -> str:
        """SIGKILL was sent; what a person is told of it: "" if only what the main process has left was killed."""
        self.kill_at = None
        timeout = (self.running or self.spec).stop.timeout
        return "" if self.pid is None else f"{self.name}: did not end within {timeout:g} s, killed"

    def looked(self, now: float) -> None:
        """The control group is still not empty."""
        self.look_at = now + REMAINS_POLL

    def blocked(self, wait: Wait, now: float) -> None:
        """It may not start yet."""
        before = self.waits_for
        self._to(Event.BLOCKED, now)
        if before is None or (before.reason, before.subject, before.what) != (wait.reason, wait.subject, wait.what):
            self.waits_for = wait
            self.history.waits(wait)
            self.changed = True

    def rested(self, now: float) -> None:
        """It has no process and is to have none."""
        self._to(Event.RESTED, now)
        self.waits_for = None

    def ended(self, exit_: LastExit, empty: bool, now: float, error: str = "") -> bool:
        """The main process has ended; `empty` if nothing is left in the control group. True if nobody asked for it."""
        if self.pid is None:
            raise IllegalEventError(f"{self.name}: an end without a process in state {self.state.value}")
        self.last_exit, self._ended, self.start_error = exit_, exit_, error
        self.pid, self.started, self.changed = None, None, True
        self._asked = asked = self.state is State.STOPPING
        unexpected = self._is_unexpected(exit_)
        if unexpected:
            self.history.died(exit_)
        if not asked:
            if now - self.up_since >= self.spec.restart.reset:
                self.failures = 0
            self.failures += 1
        if empty or (self.running or self.spec).stop.scope is Scope.PROCESS:
            self.emptied(now)
        else:
            self._enter(State.STOPPING, now)
            self.kill_at = self.kill_at if asked else now
            self.look_at = now + REMAINS_POLL
        return unexpected

    def _is_unexpected(self, exit_: LastExit) -> bool:
        """True if nobody asked it to end, and it was not its work to end like that."""
        may_end = self.spec.type is Type.ONESHOT or self.spec.restart.when is not When.ALWAYS
        asked = self._asked or self.frozen or self.wanted is Wanted.DOWN
        return not (asked or (may_end and exit_.is_well))

    def emptied(self, now: float) -> None:
        """Nothing of it runs any more: what comes now?"""
        ended = self._ended or LastExit("exit", 0, now)
        self.kill_at = self.look_at = self.running = None
        again, self._again = self._again, False
        if self._asked or again or self.wanted is Wanted.DOWN:
            self._enter(State.DOWN, now)
            return
        well, when = ended.is_well, self.spec.restart.when
        if self.spec.type is Type.ONESHOT and well:
            self.history.ready(now)
            self._enter(State.READY, now)
            self.finished = True  # last: `torn` tells by it whether all this was done
        elif when is When.ALWAYS or (when is When.FAILURE and not well):
            self.due = now + back_off(self.spec.restart, self.failures)
            self._enter(State.BACKOFF, now)
            self.waits_for = Wait(Reason.SERVICE, self.name, now, self.start_error or ended.words)
        elif well:
            self._enter(State.DOWN, now)
            self.finished = True
        else:
            self._enter(State.FAILED, now)
            self.waits_for = Wait(Reason.SERVICE, self.name, now, self.start_error or ended.words)

    def adopted(self, pid: int, started: int, ready: bool, now: float) -> None:
        """PID 1 has lost its memory, or a part of it, and found the process: it is up since before."""
        self.pid, self.started, self.running = pid, started, self.running or self.spec
        self.kill_at = self.look_at = self.waits_for = None
        self._enter(State.READY if ready else State.UP, now)

    def late(self) -> None:
        """Readiness is overdue: say so. The process is left alone."""
        what = f"not ready after {self.spec.ready.timeout:g} s"
        self.waits_for = Wait(Reason.SERVICE, self.name, self.up_since, what, f"see hepto logs {self.name}")
        self.changed = True

    @property
    def torn(self) -> bool:
        """No process, in a state that has one: an exception came in the middle of a change."""
        return self.pid is None and (
            self.state in (State.STARTING, State.UP) or (self.state is State.READY and not self.finished)
        )

    def mend(self, empty: bool, now: float) -> None:
        """Go on from the truth after an exception: what cannot be has not been, and what was believed to run has ended.

        `empty` if nothing runs in the control group. A process that is there is taken over by `adopted` instead.
        """
        self.changed = True
        if self.torn or (self.state is State.STOPPING and self.pid is None):
            if empty:
                self.emptied(now)
            else:
                self._enter(State.STOPPING, now)
                self.look_at, self.kill_at = now, self.kill_at or now
        elif self.pid is not None and not self.alive:
            self._enter(State.UP, now)

    def did(self, now: float) -> None:
        """A generation of PID 1 before saw it end of its own will."""
        self.finished = True
        self._enter(State.READY if self.spec.type is Type.ONESHOT else State.DOWN, now)

    def overdue(self, now: float) -> bool:
        """True if it should have been ready by now."""
        return self.state in (State.STARTING, State.UP) and now >= self.up_since + self.spec.ready.timeout

    # -- what is to be done ------------------------------------------------------------------------------------------

    def move(self, now: float) -> Move:
        """The one move towards what is wanted."""
        move = MOVES[self.wanted, self.state]
        if move in (Move.START, Move.RETRY) and (self.frozen or self.finished):
            return Move.KEEP
        if move is Move.RETRY:
            return Move.START if now >= self.due else Move.KEEP
        if move is Move.STOP and not self.alive:
            return Move.REST
        return move

    def deadline(self) -> float | None:
        """When something is to be done without an event."""
        times = [at for at in (self.kill_at, self.look_at) if at is not None]
        if self.state is State.BACKOFF and not self.frozen:
            times.append(self.due)
        if self.state in (State.STARTING, State.UP) and self.waits_for is None:
            times.append(self.up_since + self.spec.ready.timeout)
        return min(times, default=None)

    def status(self) -> ServiceStatus:
        """For the status file."""
        error = self.error or self.start_error
        last, wait = self.last_exit, self.waits_for
        return ServiceStatus(self.state, self.since, self.pid, self.starts, last, wait, error, *self.history.shown)

    def _to(self, event: Event, now: float) -> None:
        following = NEXT[event].get(self.state)
        if following is None:
            raise IllegalEventError(f"{self.name}: {event.value} in state {self.state.value}")
        self._enter(following, now)

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self.since, self.changed = state, now, True
