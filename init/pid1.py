"""The only loop: waits for signals, sockets, deaths and time, and gives each to the part that knows what to do.

Promises never to end but by ending the machine. Nothing that it calls waits. Each turn runs one item of an agenda; what
raises is logged, counted (rescue.py) and passed over, and the rest of the agenda goes on, so that one defect never
starves the others; after it the services are compared with the control groups. No state here is worth saving: what
cannot be found out again goes over an exec in a memfd (handover.py).
"""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from math import inf

from init import cgroups, linux, rescue
from init.boot import Boot, Finished, StartRun, World
from init.console import Console
from init.contract import bootid, durable, paths, status
from init.contract.service import Service
from init.control import Change, Control
from init.ending import SIGNALS, Ending, kill_all
from init.handover import DISTRUST, Handover, phases_before
from init.inbox import Inbox
from init.jobs import Jobs
from init.notify import Notification, Receiver
from init.orders import Orders
from init.poller import Poller
from init.power import RESCAN, Buttons, Watchdog
from init.reaper import Reaper
from init.runtime import Runtime, execute
from init.settings import Settings
from init.shutdown import WATCHDOG_SECONDS, Action
from init.supervisor import Supervisor
from init.turn import Turn
from init.uevents import Uevents

LINES_BEFORE_LOG = 1000
LINES_OF_DEFECTS = 100
DOUBT_LOOK = 0.02
"""Seconds until the next look, while it is not sure what runs."""


class Init:
    """PID 1."""

    def __init__(self, settings: Settings, handover: Handover | None = None, compiled: Callable[[], int] = lambda: 0):
        self._settings, self._handover, self._compiled = settings, handover, compiled
        root = settings.root
        self.guard = rescue.Guard()
        self._pid = os.getpid()
        self._signals = linux.signalfd()
        self._poller = Poller()
        self._poller.watch(self._signals, self._signalled)
        self._console = Console(root + settings.console)
        self._early: deque[str] = deque(maxlen=LINES_BEFORE_LOG)
        self._reaper = Reaper(self._told)
        self._control = Control(self._poller, lambda request, reply: self._orders.obey(request, reply), self._snapshot)
        self._runtime = Runtime(root, self._poller, self._control, self._notified)
        self._fifos, self._directory = self._runtime.fifos, self._runtime.directory
        self._groups = cgroups.Cgroups(settings.cgroups)
        self.supervisor = Supervisor(
            groups=self._groups,
            fifos=self._fifos,
            poller=self._poller,
            status_directory=root + paths.STATUS,
            deaths_directory=root + paths.DEATHS,
            notify_socket=root + paths.NOTIFY_SOCKET,
            log=self.log,
        )
        self._jobs = Jobs(self._fifos.own)
        self._boot = Boot(settings.phases, settings.tasks, World(root, self._add_service, self.log, linux.now))
        self._signals_seen: Inbox[int] = Inbox()
        self._messages: Inbox[Notification] = Inbox()
        self._receiver = Receiver(self._messages.add)
        self._orders = Orders(
            self.supervisor,
            self._jobs,
            self._boot,
            self._console,
            settings.bind,
            self._begin_ending,
            self.log,
            lambda: self._ending is not None,
        )
        self._buttons = Buttons(self._poller, lambda: self._begin_ending(Action.POWEROFF), root)
        self._watchdog = Watchdog(f"{root}/dev/watchdog")
        self._uevents: Uevents | None = None
        self._ending: Ending | None = None
        self._started = self._doubt = self._grouped = self._strays_seen = self._skipped = False
        self._next_look = 0.0
        self._agenda: deque[Callable[[], None]] = deque()
        self._woken = Turn()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Boot, and go on for ever."""
        while True:
            try:
                self._survive()
            except BaseException:
                self._doubt = True

    def _survive(self) -> None:
        try:
            if not self._started:
                self._start()
            self._turn()
        except BaseException as error:
            if os.getpid() != self._pid:  # a child that has lost its way out
                os._exit(127)
            self._caught(error)

    def _turn(self) -> None:
        """One item of the agenda; when it is empty, wait and make the next one."""
        if self._agenda:
            self._agenda.popleft()()
            self.guard.succeeded()
            return
        asleep = self._skipped and not (self._doubt or self._reaper.more)
        due = self._woken.due if asleep else self._due()
        until = min(due, self._reaper.look_at)
        if (quiet := self._reaper.quiet_until - linux.now()) > 0.0:
            signal.sigtimedwait((), quiet)
        ready = self._poller.wait(until - linux.now() if until < inf else None)
        self._woken.woken(len(ready), due)
        self._agenda.extend((*ready, lambda: self._reaper.reap(linux.now(), self._woken.died), self._stages))

    def _stages(self) -> None:
        """The rest of a turn, if there can be anything to do."""
        idle = self._woken.idle(linux.now())
        self._skipped = idle and not (self._doubt or self._ending or self.supervisor.looking)
        if self._skipped:
            return
        self._agenda += (self._check, self._run_boot, self._look, self._supervise, self._run_ending)
        self._agenda += (self._keep_house, self._publish, self._perhaps_re_exec)

    def _due(self) -> float:
        """When there is something to do; infinity: never."""
        now = linux.now()
        if self._reaper.more or self._doubt:
            return now if self._reaper.more else now + DOUBT_LOOK
        times = [self._jobs.deadline(), self._watchdog.deadline(), self._console.deadline(), self._fifos.deadline(now)]
        times.append(self.supervisor.deadline())
        if self._ending is not None:
            times.append(self._ending.deadline(now))
        else:
            times += [self._boot.deadline(), self._directory.deadline() if self._runtime.opened else None]
        return min((at for at in times if at is not None), default=inf)

    def _caught(self, error: BaseException) -> None:
        """The one place where an exception ends."""
        self._doubt = True
        following = self.guard.failed(linux.now())
        if self.guard.caught <= LINES_OF_DEFECTS:  # a defect that repeats itself must not fill the log
            self.say(f"PID 1: {type(error).__name__}: {error} ({rescue.place(error)}); goes on")
        match following:
            case rescue.Next.GO_ON:
                pass
            case rescue.Next.BREATHE:
                signal.sigtimedwait((signal.SIGCHLD,), rescue.BREATH)
                self._reaper.again()  # the signal was taken from the signalfd
            case rescue.Next.MINIMAL:
                self._agenda.clear()
                self._minimal()
            case rescue.Next.RE_EXEC:
                self._execute(self._generation + 1)

    def _minimal(self) -> None:
        """The loop's stand-in for a while."""
        self.say("PID 1: nothing succeeds, the minimal loop takes over for a second")
        processes = self.supervisor.processes
        until = linux.now() + rescue.ROUND_SECONDS
        try:
            rescue.minimal(
                self._signals, self._reaper.record, processes.launches, processes.pids, self._end_at_once, until
            )
        except BaseException:
            self._execute(self._generation + 1)

    # -- start and exec ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin, or go on where the generation before ended. Repeated from the start until nothing is raised."""
        before = self._handover
        if self._settings.machine and self._uevents is None:
            uevents = Uevents(self._hear)
            self._poller.watch(uevents.fileno(), uevents.hear)
            self._uevents = uevents
        with contextlib.suppress(OSError):
            self._settings.cad_off()
        if before is None:
            self._boot.start(linux.now())
        else:
            self._take_over(before)
        self._started = True

    def _take_over(self, before: Handover) -> None:
        self._runtime.adopt(before.descriptors)
        self._watchdog.descriptor = before.descriptors.get("watchdog", -1)
        self.supervisor.inherited = dict(before.services)
        self._open_run()
        self._boot.start(linux.now(), phases_before(self._settings.root + paths.BOOT))
        if before.action:
            self._begin_ending(Action(before.action))
        if self._runtime.opened:
            self._runtime.settle((self._watchdog.descriptor,))
        self.log(f"PID 1 executed anew, generation {before.generation}")

    def _open_run(self) -> None:
        """Open what is below /run as soon as it is there, and use control groups as soon as they are mounted."""
        if self._runtime.open():
            while self._early:
                self._fifos.write(self._early.popleft())
            if self._settings.machine:
                linux.leave_standard_streams()
        if not self._grouped and self._groups.available:
            self._groups.prepare()
            self._grouped = True

    @property
    def _generation(self) -> int:
        return self._handover.generation if self._handover is not None else 0

    def _perhaps_re_exec(self) -> None:
        if self._orders.re_exec:
            self._orders.re_exec -= 1
            self._execute(0)

    def _execute(self, generation: int) -> None:
        """Execute PID 1 anew."""
        self.say(f"PID 1 executes itself anew, generation {generation}")
        descriptors = self._runtime.descriptors()
        if self._watchdog.descriptor >= 0:
            descriptors["watchdog"] = self._watchdog.descriptor
        services = self.supervisor.bequeath() if generation < DISTRUST else {}
        action = self._ending.action.value if self._ending is not None else ""
        execute(self._settings.program, Handover(generation, descriptors, services, action))

    # -- events ------------------------------------------------------------------------------------------------------

    def _signalled(self) -> None:
        signals = linux.read_signals(self._signals)
        for number, _pid in signals:
            if number != signal.SIGCHLD:  # each turn reaps anyway
                self._signals_seen.add(number)
        self._woken.signalled(signals)
        self._signals_seen.deliver(self._take_signal)

    def _take_signal(self, number: int) -> None:
        if number in SIGNALS:
            self._begin_ending(SIGNALS[number])
        elif number == signal.SIGHUP:
            self._directory.forget()

    def _notified(self, sock: linux.Socket) -> None:
        self._receiver.receive(sock)
        self._messages.deliver(lambda one: self.supervisor.notified(one.pid, one.ready, linux.now()))

    def _hear(self, events: list[Mapping[str, str]], lost: bool) -> None:
        if any(event.get("SUBSYSTEM") == "input" for event in events):
            self._next_look = 0.0
        if self._ending is None:
            self._boot.uevents(events, lost, linux.now())

    def _told(self, pid: int, kind: str, value: int) -> None:
        ours = pid in self.supervisor.processes.pids and self.supervisor.died(pid, kind, value, linux.now())
        if ours or self._jobs.ended(pid, value if kind == "exit" else 128 + value):
            self._woken.met()

    # -- requests ----------------------------------------------------------------------------------------------------

    def _snapshot(self) -> Iterator[Change]:
        for phase in self._boot.phase_statuses():
            yield Change("phase", phase.name, status.dump(phase))
        for name, service in self.supervisor.services.items():
            yield Change("service", name, status.dump(service.status()))

    def _add_service(self, name: str, spec: Service) -> None:
        if self._ending is None:
            self.supervisor.add(name, spec, linux.now())

    def _begin_ending(self, action: Action) -> None:
        """Freeze the desired state. A second wish changes only what comes at the end."""
        if self._ending is not None:
            self._ending.change(action)
            return
        self._ending = Ending(action, self._settings, self._groups, self.supervisor, self._jobs, self.say)
        if action is Action.HALT:
            self._watchdog.disarm()
        self._watchdog.arm(WATCHDOG_SECONDS)

    def _end_at_once(self, number: int) -> None:
        """From the minimal loop: no order any more, only the wish."""
        kill_all(signal.SIGTERM)
        os.sync()
        self._settings.end(SIGNALS[number])

    # -- stages of each turn -----------------------------------------------------------------------------------------

    def _check(self) -> None:
        """After an exception nothing that was read may be lost, and nothing that runs may be run twice."""
        if not self._doubt:
            return
        self._signalled()
        self._messages.deliver(lambda one: self.supervisor.notified(one.pid, one.ready, linux.now()))
        self._directory.forget()
        self._control.drop_streams()
        self._boot.mend(self._jobs.tokens(), linux.now())
        self._orders.mend()
        self._doubt = not self.supervisor.check(linux.now(), self._jobs.pids())

    def _run_boot(self) -> None:
        if self._ending is not None:
            return
        now = linux.now()
        due = self._boot.deadline()
        if due is not None and due <= now:
            self._boot.tick(now)
        while effects := self._boot.effects():
            for effect in effects:
                if isinstance(effect, StartRun):
                    self._start_run(effect)
                else:
                    (self.say if effect.console else self.log)(effect.text)
        if self._boot.changed:
            self._open_run()

    def _start_run(self, effect: StartRun) -> None:
        def done(result: Finished) -> None:
            self._boot.finished(effect.token, result, linux.now())

        self._jobs.start(effect.run, done, linux.now(), effect.token)

    def _look(self) -> None:
        """Read service files that have changed, and see to new shims, of which nobody tells."""
        now = linux.now()
        if self._ending is None and self._runtime.opened and self._directory.deadline() <= now:
            self._groups.spare_shims()
            changes = self._directory.look(now)
            self.supervisor.apply(changes, now)
            if self._handover is not None and self._boot.complete and not self._strays_seen:
                self._strays_seen = self.supervisor.strays(changes.present, now)

    def _supervise(self) -> None:
        now = linux.now()
        self._jobs.collect()
        self._jobs.tick(now)
        self.supervisor.tick(now)
        if not self._doubt:
            self.supervisor.settle(now)

    def _run_ending(self) -> None:
        if self._ending is not None:
            self._ending.advance(linux.now())

    def _keep_house(self) -> None:
        now = linux.now()
        if self._console.pending:
            self._console.flush()
        due = self._console.deadline()
        if due is not None and due <= now:
            self._console.repeat(now)
        self._fifos.tick(now)
        if self._settings.machine and now >= self._next_look:
            self._next_look = now + RESCAN
            self._buttons.scan()
            self._watchdog.open()
        self._watchdog.feed(now)

    def _publish(self) -> None:
        if not self._runtime.opened:
            return
        changes = [
            Change("service", name, status.dump(value) if value is not None else None)
            for name, value in self.supervisor.publish()
        ]
        if self._boot.changed:
            boot = self._boot.status(bootid.boot_id(), self._compiled())
            durable.write(self._settings.root + paths.BOOT, status.encode(boot), 0o644, sync=False)
            self._boot.changed = False
            changes += [Change("phase", phase.name, status.dump(phase)) for phase in boot.phases]
        if changes:
            self._control.publish(changes)

    # -- words -------------------------------------------------------------------------------------------------------

    def log(self, text: str) -> None:
        """A line for PID 1's own log."""
        if self._fifos.own() >= 0:
            self._fifos.write(text)
        else:
            self._early.append(text)

    def say(self, text: str) -> None:
        """A line for a person: console and log."""
        self._console.line(text)
        self.log(text)
