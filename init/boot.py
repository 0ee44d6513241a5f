"""Runs a boot's phases, one after the other, without ever blocking the loop. Pure: no I/O, no clock.

A phase is data: its name and the name of its task. A task is a generator function `task(world)`; it may make quick
system calls itself and yields a step when it has to wait:

    result = yield Run(("/sbin/mke2fs", …), timeout=60)    -> Finished(code, output)
    result = yield Run(call=function, timeout=10)          -> Finished; the function runs in a forked child
    woken  = yield Wait(2.0, uevent=True)                  -> Woken(events, lost); earlier when a uevent arrives
    yield Waiting(status.Wait(…))                          -> None, at once; publishes what the phase waits for

and raises PhaseFailed to fail. The boot then goes on with the phases that do not depend on it (`Phase.after`). A phase
is done when its generator returns. `background` tasks are done when they first wait and go on for ever beside others
(module loading from uevents); `again` phases, and background ones, run once more after a re-exec of PID 1, which else
takes what is done from boot.json: they tell the loop what it has to know (the keys, the built-in services). So any task
must be harmless when it is run twice.

A task that raises anything but PhaseFailed has a defect, or the machine lacks something: its phase fails with the
exception as its text and is tried again after a second, then after twice as long, and so on; what depends on it
follows. So is a background task that ends, and one whose PhaseFailed says so.
"""

from collections.abc import Callable, Generator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from init.cmdline import CommandLine
from init.contract.service import Service
from init.contract.status import BootStatus, PhaseState, PhaseStatus, Reason
from init.contract.status import Wait as StatusWait

OUTPUT_LIMIT = 64 * 1024
UEVENT_LIMIT = 4096  # a task that does not take its uevents loses them and is told so
RETRY, RETRY_MOST = 1.0, 60.0
"""Seconds to the next try of a task that has raised or, in the background, ended: doubling."""


class Phase(NamedTuple):
    """One phase of the boot, comparable and printable."""

    name: str
    task: str
    after: tuple[str, ...] = ()
    background: bool = False
    again: bool = False


class Run(NamedTuple):
    """A one-shot: a program, or a Python function run in a forked child. Killed after `timeout` seconds.

    Its output goes to PID 1's log unless it is captured.
    """

    argv: tuple[str, ...] = ()
    timeout: float = 10.0
    capture: bool = False
    call: Callable[[], None] | None = None
    env: Mapping[str, str] = {}


class Finished(NamedTuple):
    """How a one-shot ended: its exit code (128 + number for a signal, 127 if it could not be started) and output."""

    code: int
    output: bytes = b""
    timed_out: bool = False


class Wait(NamedTuple):
    """A bounded wait."""

    seconds: float
    uevent: bool = False


class Woken(NamedTuple):
    """The uevents (their variables) since the task's last wait; `lost` if there were more than could be kept."""

    events: tuple[Mapping[str, str], ...] = ()
    lost: bool = False


class Waiting(NamedTuple):
    """Publishes what the phase waits for."""

    wait: StatusWait | None


Step = Run | Wait | Waiting
Result = Finished | Woken | None
Task = Generator[Step, Any, None]
TaskFunction = Callable[["World"], Task]


class PhaseFailed(Exception):  # noqa: N818  not an error of ours: what the machine is like
    """The phase cannot be done, and a person can be told why. `again`: for now; nobody has to do anything about it."""

    def __init__(self, reason: Reason, subject: str, what: str, hint: str = "", *, again: bool = False):
        super().__init__(what)
        self.reason, self.subject, self.what, self.hint, self.again = reason, subject, what, hint, again


class World:
    """What a task sees of PID 1.

    `root` prefixes every path in tests; `keys` are PID 1's keys of the kernel command line (filled by the task that
    reads it); `state` holds results for later phases (`data`: 'disk' or 'memory' is published in boot.json).
    PID 1 makes /run/hepto, its sockets and the control groups by itself once /run and /sys/fs/cgroup are mounted.
    """

    def __init__(
        self,
        root: str = "",
        add_service: Callable[[str, Service], None] = lambda _name, _service: None,
        log: Callable[[str], None] = lambda _text: None,
        now: Callable[[], float] = lambda: 0.0,
    ):
        self.root = root
        self.keys = CommandLine()
        self.state: dict[str, Any] = {}
        self.add_service = add_service
        self.log = log
        self.now = now

    def path(self, path: str) -> str:
        """The absolute path, below the root of tests."""
        return self.root + path


class StartRun(NamedTuple):
    """Effect: start this one-shot and hand its end to `Boot.finished` with the token."""

    token: str
    run: Run


class Said(NamedTuple):
    """Effect: a line for the log; for the console too if it matters to a person."""

    text: str
    console: bool = False


class _Running:
    """A task under way."""

    def __init__(self, phase: Phase, task: Task, now: float):
        self.phase = phase
        self.task = task
        self.since = now
        self.step: Step | None = None
        """What the task has yielded last."""
        self.wakes: float | None = None
        self.wants_uevents = False
        self.events: list[Mapping[str, str]] = []
        self.lost = False

    def woken(self) -> Woken:
        woken = Woken(tuple(self.events), self.lost)
        self.events, self.lost = [], False
        return woken


class Boot:
    """All phases of one boot. Doors: start, tick, finished, uevents; deadline; effects; status."""

    def __init__(self, phases: tuple[Phase, ...], tasks: Mapping[str, TaskFunction], world: World):
        self._phases = phases
        self._tasks = tasks
        self._world = world
        self._status = {phase.name: PhaseStatus(phase.name) for phase in phases}
        self._running: dict[str, _Running] = {}
        self._restarts: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._effects: list[StartRun | Said] = []
        self._to_do: list[Phase] = []
        self.changed = True

    # -- doors -----------------------------------------------------------------------------------------------------

    def start(self, now: float, before: BootStatus | None = None) -> None:
        """Begin. With `before`, the status that another generation of PID 1 left, what is done is not done again."""
        self._to_do = []  # an exception may have come in the middle of an earlier try
        for phase in self._phases:
            done = before.phase(phase.name) if before else None
            if done is not None and done.state is PhaseState.DONE:
                self._status[phase.name] = done
                if not (phase.again or phase.background):
                    continue
            if phase.name not in self._running:
                self._to_do.append(phase)
        if before is not None and before.data:
            self._world.state.setdefault("data", before.data)
        self._next(now)

    def finished(self, token: str, result: Finished, now: float) -> None:
        """The one-shot of a phase has ended."""
        running = self._running.get(token)
        if running is not None and isinstance(running.step, Run):
            self._resume(running, result, now)
            self._next(now)

    def uevents(self, events: list[Mapping[str, str]], lost: bool, now: float) -> None:
        """Uevents have arrived."""
        for running in list(self._running.values()):
            running.events.extend(events)
            running.lost = running.lost or lost
            if len(running.events) > UEVENT_LIMIT:
                del running.events[:]
                running.lost = True
            if running.wants_uevents:
                self._resume(running, running.woken(), now)
        self._next(now)

    def tick(self, now: float) -> None:
        """Time has reached `deadline()`."""
        for running in list(self._running.values()):
            if running.wakes is not None and running.wakes <= now:
                self._resume(running, running.woken() if running.step is not None else None, now)
        for name, due in list(self._restarts.items()):
            if due <= now:
                self._begin(next(phase for phase in self._phases if phase.name == name), now)
                if self._restarts[name] == due:  # else it has raised at once
                    del self._restarts[name]
        self._next(now)

    def mend(self, in_flight: AbstractSet[str], now: float) -> None:
        """After an exception in PID 1: go on with tasks that nothing would wake any more, and with the next phase.

        `in_flight` are the tokens of one-shots under way. One that was lost is run again.
        """
        starting = {effect.token for effect in self._effects if isinstance(effect, StartRun)}
        for name, running in self._running.items():
            if running.wakes is not None or name in in_flight or name in starting:
                continue
            if isinstance(running.step, Run):
                self._effects.append(StartRun(name, running.step))
            else:
                running.lost, running.wakes = True, now
        self._next(now)

    def deadline(self) -> float | None:
        """The earliest instant that `tick` is wanted at."""
        times = [running.wakes for running in self._running.values() if running.wakes is not None]
        return min([*times, *self._restarts.values()], default=None)

    def effects(self) -> list[StartRun | Said]:
        """What is to be done now."""
        effects, self._effects = self._effects, []
        return effects

    @property
    def complete(self) -> bool:
        """True when no phase is left to run (failed ones count, unless they are tried again)."""
        under_way = self._running.keys() | self._restarts.keys()
        return not self._to_do and all(phase.background for phase in self._phases if phase.name in under_way)

    @property
    def idle(self) -> bool:
        """True when no phase has anything under way that a re-exec would cut off."""
        return not self._to_do and all(running.wakes is not None for running in self._running.values())

    def status(self, boot_id: str, compiled: int) -> BootStatus:
        """For boot.json."""
        data = self._world.state.get("data", "")
        return BootStatus(tuple(self._status.values()), boot_id, data if isinstance(data, str) else "", compiled)

    def phase_statuses(self) -> tuple[PhaseStatus, ...]:
        """In the order of the phases."""
        return tuple(self._status.values())

    # -- inside ----------------------------------------------------------------------------------------------------

    def _next(self, now: float) -> None:
        """Begin phases until one has to be waited for."""
        while self._to_do and all(running.phase.background for running in self._running.values()):
            phase = self._to_do[0]
            blocked = next((name for name in phase.after if not self._done(name)), None)
            if phase.name in self._running:
                pass  # begun already, before an exception
            elif blocked is None:
                self._begin(phase, max(now, self._world.now()))  # the ones before may have taken their time
            else:
                wait = StatusWait(Reason.PHASE, blocked, now, f"phase {blocked} has failed")
                self._set(phase, PhaseStatus(phase.name, PhaseState.PENDING, now, waits_for=wait))
            del self._to_do[0]  # not before it was begun: an exception on the way must not lose a phase

    def _done(self, name: str) -> bool:
        status = self._status.get(name)
        return status is not None and status.state is PhaseState.DONE

    def _begin(self, phase: Phase, now: float) -> None:
        if not self._done(phase.name):
            self._set(phase, PhaseStatus(phase.name, PhaseState.RUNNING, now))
        try:
            task = self._tasks[phase.task](self._world)
        except Exception as error:
            self._ended(_Running(phase, iter_nothing(), now), error, now)
            return
        running = self._running[phase.name] = _Running(phase, task, now)
        self._resume(running, None, now)

    def _resume(self, running: _Running, result: Result, now: float) -> None:
        """Let the task go on to its next wait or its end."""
        running.wakes, running.wants_uevents = None, False
        while True:
            try:
                step = running.step = running.task.send(result)
            except StopIteration:
                self._ended(running, None, now)
                return
            except Exception as error:
                self._ended(running, error, now)
                return
            match step:
                case Waiting(wait):
                    self._publish(running, wait, now)
                    result = None
                case Run():
                    self._effects.append(StartRun(running.phase.name, step))
                    break
                case Wait(seconds, uevent):
                    if uevent and (running.events or running.lost):
                        result = running.woken()  # they came while the task was doing something else
                        continue
                    running.wakes, running.wants_uevents = now + seconds, uevent
                    break
        if running.phase.background and not self._done(running.phase.name):
            self._set(running.phase, PhaseStatus(running.phase.name, PhaseState.DONE, running.since))

    def _publish(self, running: _Running, wait: StatusWait | None, now: float) -> None:
        before = self._status[running.phase.name]
        self._set(
            running.phase, PhaseStatus(before.name, before.state, before.since, before.seconds, before.error, wait)
        )
        if wait is not None and wait != before.waits_for:
            self._effects.append(Said(f"{running.phase.name}: {wait.line(now)}", console=True))

    def _ended(self, running: _Running, error: Exception | None, now: float) -> None:
        phase = running.phase
        self._running.pop(phase.name, None)
        seconds = round(max(now, self._world.now()) - running.since, 3)
        if error is None:
            self._set(phase, PhaseStatus(phase.name, PhaseState.DONE, running.since, seconds))
        else:
            wait = None
            text = f"{type(error).__name__}: {error}"
            if isinstance(error, PhaseFailed):
                wait = StatusWait(error.reason, error.subject, now, error.what, error.hint)
                text = error.what
            self._set(phase, PhaseStatus(phase.name, PhaseState.FAILED, running.since, seconds, text, wait))
            tail = f". {wait.hint}" if wait is not None and wait.hint else ""
            self._effects.append(Said(f"phase {phase.name} failed: {text}{tail}", console=True))
        for_good = isinstance(error, PhaseFailed) and not error.again
        if phase.background or not (error is None or for_good):
            failures = self._failures[phase.name] = self._failures.get(phase.name, 0) + 1
            self._restarts[phase.name] = now + min(RETRY_MOST, RETRY * 2.0 ** (min(failures, 32) - 1))
        elif error is None:
            pending = [other for other in self._phases if self._status[other.name].state is PhaseState.PENDING]
            self._to_do += [other for other in pending if phase.name in other.after and other not in self._to_do]

    def _set(self, phase: Phase, status: PhaseStatus) -> None:
        self._status[phase.name] = status
        self.changed = True


def iter_nothing() -> Task:
    """A task that is at its end."""
    yield from ()
