"""Leads each service from what is the case to what is wanted, by the moves that its machine asks for.

Promises: never waits; a service is started only into an empty control group (else what is in it is ended first); after
any doubt `check` compares with the control groups, which are the truth. A service's states are service.py's, the order
is tree.py's, the processes are processes.py's: here they meet.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping

from init import cgroups, inheritance, linux, tree
from init.contract import durable, paths
from init.contract.service import BadServiceError, ReadyKind, Scope, Service, Wanted, When, parse
from init.contract.status import LastExit, Reason, ServiceStatus, State, Wait, encode, load_service
from init.deaths import Deaths
from init.directory import Changes
from init.fifos import OWN, Fifos
from init.inheritance import GONE, Inherited
from init.probes import Probes
from init.processes import Poller, Processes
from init.rescue import place
from init.service import REMAINS_POLL, Move, Supervised
from init.tree import back_off


class RefusedError(Exception):
    """An order that cannot be carried out; nothing was changed."""

    def __init__(self, what: str, hint: str):
        super().__init__(what)
        self.hint = hint


class Supervisor:
    """All services."""

    def __init__(
        self,
        *,
        groups: cgroups.Cgroups,
        fifos: Fifos,
        poller: Poller,
        status_directory: str,
        deaths_directory: str,
        notify_socket: str,
        log: Callable[[str], None],
    ):
        self.services: dict[str, Supervised] = {}
        self.inherited: dict[str, Inherited] = {}
        self.processes = Processes(groups, fifos, poller, notify_socket, self._executed)
        self._groups, self._log, self._status_directory = groups, log, status_directory
        self._slow = log
        self._deaths = Deaths(deaths_directory, fifos.write, lambda name: cgroups.memory_peak(groups.service(name)))
        self._status_file = f"{status_directory}/{{}}.json".format
        self._builtin: set[str] = set()
        self._probes = Probes()
        self._retries: dict[str, float] = {}
        self._forgotten: list[str] = []
        self._raised: dict[str, bytes] = {}

    # -- the desired state -------------------------------------------------------------------------------------------

    def add(self, name: str, spec: Service, now: float) -> None:
        """Add a built-in service, or give it its specification anew."""
        self._builtin.add(name)
        self._configure(name, spec, now)

    def apply(self, changes: Changes, now: float) -> None:
        """Take over what a look at the directory has found, each file for itself.

        What a file raises that it should not is raised here when all others are done, for it may be none of its doing:
        then all is read anew. The second time it is the content's, and is said in the service's status; but never what
        the machine lacks (memory, descriptors).
        """
        first: Exception | None = None
        for name, data in changes.written.items():
            if name in self._builtin or name in (OWN, paths.KERNEL_LOG, os.path.basename(self._groups.shims)):
                self._log(f"service file {name}.json ignored: the name is PID 1's own")
                continue
            try:
                self._take_over(name, data, now)
            except Exception as error:
                if self._raised.get(name) == data and not isinstance(error, OSError | MemoryError):
                    self._blame(name, error, now)
                else:
                    self._raised[name] = data
                    first = first or error
            else:
                self._raised.pop(name, None)
        if changes.present is not None:
            for name, service in self.services.items():
                if name not in changes.present and name not in self._builtin and not service.removed:
                    service.remove()
        if first is not None:
            raise first

    def _take_over(self, name: str, data: bytes, now: float) -> None:
        try:
            spec = parse(data)
        except BadServiceError as error:
            self._log(f"service file {name}.json: {error}")
            if name not in self.services:
                self._configure(name, self._last_good(name), now)
            self.services[name].misconfigured(str(error))
        else:
            self._configure(name, spec, now)

    def _blame(self, name: str, error: Exception, now: float) -> None:
        text = f"PID 1 cannot take it over: {type(error).__name__}: {error} ({place(error)})"
        self._log(f"service file {name}.json: {text}")
        if name not in self.services:
            self._configure(name, self._last_good(name), now)
        self.services[name].misconfigured(text)

    def _configure(self, name: str, spec: Service, now: float) -> None:
        service = self.services.get(name)
        if service is None:
            before = self.inherited.get(name, Inherited())
            service = Supervised(name, before.service or spec, now)
            self._inherit(service, before, now)
            self.services[name] = service  # last: what is raised on the way must not lose what was inherited
            self.inherited.pop(name, None)
        limits = service.spec.limits
        service.configure(spec, now)
        if service.alive and spec.limits != limits and self._groups.available:
            for refused in self._groups.limit(name, spec.limits):
                self._log(f"{name}: the kernel refused {refused}")

    # -- orders ------------------------------------------------------------------------------------------------------

    def start(self, name: str, now: float) -> None:
        """Follow the file again, at once."""
        self._named(name).release(now)

    def stop(self, name: str) -> None:
        """Stay down until told otherwise."""
        self._named(name).hold()

    def restart(self, name: str, now: float) -> None:
        """End the process and start another one."""
        self._named(name).restart(now)

    def agent_says(self, name: str, ready: bool, now: float) -> None:
        """The agent's probe has found a service ready, or not."""
        service = self._named(name)
        kind = service.spec.ready.kind
        if kind is not ReadyKind.AGENT:
            raise RefusedError(f"{name}'s readiness is of kind {kind.value}", "it is not for the agent to say")
        if service.pid is None:
            raise RefusedError(f"{name} does not run", "report readiness when its status says up")
        (service.ready if ready else service.unready)(now)

    def freeze(self, say: Callable[[str], None]) -> None:
        """A shutdown begins: nothing is started any more, and who does not end in time is told to `say`."""
        self._slow = say
        for service in self.services.values():
            service.frozen = True

    def hold(self, names: Iterable[str]) -> None:
        """Stop these for good."""
        for name in names:
            if name in self.services:
                self.services[name].hold()

    def running(self) -> frozenset[str]:
        """The names of all that have a process."""
        return frozenset(name for name, service in self.services.items() if service.alive)

    def _named(self, name: str) -> Supervised:
        if name not in self.services:
            raise RefusedError(f"no service {name}", f"there are: {', '.join(sorted(self.services)) or 'none'}")
        return self.services[name]

    # -- events ------------------------------------------------------------------------------------------------------

    def died(self, pid: int, kind: str, value: int, now: float) -> bool:
        """A process has ended. True if it was a service's main process."""
        name = self.processes.pids.get(pid)
        if name is None:
            return False
        service = self.services[name]
        if service.pid == pid:  # else it was told before, and an exception came in between
            ended, error = self.processes.ended(name, kind, value, now)
            self._ended(service, ended, self.processes.empty(service), now, error)
        del self.processes.pids[pid]
        return True

    def _ended(self, service: Supervised, exit_: LastExit, empty: bool, now: float, error: str) -> None:
        if service.ended(exit_, empty, now, error):
            never = service.spec.restart.when is When.NEVER
            retry = None if never else back_off(service.spec.restart, service.failures)
            number, up = service.history.deaths, now - service.up_since
            self._deaths.record(service.name, number, exit_, error, up, retry)
        self._probes.end(service.name)
        self._log(f"{service.name}: {error or exit_.words}, now {service.state.value}")

    def notified(self, pid: int, ready: bool | None, now: float) -> None:
        """A message on the notify socket; only a main process with that kind of readiness counts."""
        service = self.services.get(self.processes.pids.get(pid, ""))
        if service is not None and ready is not None and service.spec.ready.kind is ReadyKind.NOTIFY:
            (service.ready if ready else service.unready)(now)

    def _executed(self, name: str) -> None:
        service = self.services.get(name)
        if service is not None and service.state is State.STARTING:
            service.executed(linux.now())
            self._probes.begin(service, linux.now())

    # -- time --------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Kill what did not stop, look whether groups are empty, probe readiness, say what is overdue."""
        for service in list(self.services.values()):
            if service.kill_at is not None and service.kill_at <= now:
                self.processes.kill(service)
                if words := service.killed():
                    self._slow(words)
            if service.look_at is not None and service.pid is None:
                if self.processes.empty(service):
                    service.emptied(now)
                elif service.look_at <= now:
                    service.looked(now)
            if service.waits_for is None and service.overdue(now):
                service.late()
        self._retries = {name: due for name, due in self._retries.items() if due > now}
        self._probes.tick(self.services, now)

    def deadline(self) -> float | None:
        """When `tick` or `settle` is wanted."""
        times = [at for service in self.services.values() if (at := service.deadline()) is not None]
        probe = self._probes.deadline()
        return min([*times, *([] if probe is None else [probe]), *self._retries.values()], default=None)

    @property
    def looking(self) -> bool:
        """Some service's main process has ended, and the death of any other of its group is to be seen at once."""
        return any(one.look_at is not None and one.pid is None for one in self.services.values())

    # -- moves -------------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Make every service's next move, until no more can be made without an event."""
        for _ in range(len(self.services) + 1):
            moved = [self._move(service, now) for service in list(self.services.values())]
            if not any(moved):
                return

    def _move(self, service: Supervised, now: float) -> bool:
        """True if it may have set another one free."""
        move = service.move(now)
        match move:
            case Move.KEEP:
                if service.removed and service.state is State.DOWN:
                    self._forget(service.name)
            case Move.START:
                wait = self._blocked(service, now)
                if wait is None:
                    self._start(service, now)
                else:
                    service.blocked(wait, now)
            case Move.STOP:
                leaving = [name for name, other in self.services.items() if other.wanted is Wanted.DOWN]
                if tree.holds_up(service.name, self._after(), self.running(), leaving) is None:
                    self.processes.stop(service)
                    service.told_to_stop(now)
            case Move.REST:
                service.rested(now)
            case Move.RETRY:
                raise AssertionError("a machine turns RETRY into START or KEEP")
        return move is Move.REST

    def _after(self) -> Mapping[str, tuple[str, ...]]:
        return {name: service.spec.after for name, service in self.services.items()}

    def _blocked(self, service: Supervised, now: float) -> Wait | None:
        """What a start has to wait for."""
        ready = {name for name, other in self.services.items() if other.state is State.READY}
        dependency = tree.waits_for(service.name, {service.name: service.spec.after}, ready)
        if dependency is not None:
            what, way = "", tree.cycle(service.name, self._after())
            if way:
                what = f"they wait for each other: {' after '.join(way)}"
            elif dependency not in self.services:
                what = "there is no such service"
            return Wait(Reason.SERVICE, dependency, now, what)
        if service.spec.stop.scope is Scope.CGROUP and not self.processes.empty(service):
            self.processes.kill(service)
            self._retries[service.name] = now + REMAINS_POLL
            return Wait(Reason.SERVICE, service.name, now, "processes of an earlier start are being ended")
        return None

    def _start(self, service: Supervised, now: float) -> None:
        try:
            self.processes.start(service, now)
        except OSError as error:
            service.forked(0, None, now)
            text = error.strerror or str(error)
            self._ended(service, LastExit("exec", error.errno or 0, now), empty=True, now=now, error=text)

    def _forget(self, name: str) -> None:
        del self.services[name]
        self.processes.forget(name)
        durable.remove(self._status_file(name), sync=False)
        self._forgotten.append(name)

    # -- the truth ---------------------------------------------------------------------------------------------------

    def check(self, now: float, others: Iterable[int] = ()) -> bool:
        """After a caught exception: compare what is believed with the processes there are.

        False while a child of ours, none of `others`, is on its way to its control group: a service may be starting
        whose pid an exception has lost, so nothing may be started yet.
        """
        if self.processes.newborn((*self.processes.pids, *others)):
            return False
        for service in self.services.values():
            self._mend(service, now)
        self.processes.pids = {service.pid: name for name, service in self.services.items() if service.pid is not None}
        for entry in os.scandir(self._status_directory):
            name = entry.name.removesuffix(".json")
            if name != entry.name and name not in self.services:
                durable.remove(entry.path, sync=False)
        return True

    def _mend(self, service: Supervised, now: float) -> None:
        """Compare one service with its process, whatever an exception left half done."""
        if service.pid is not None and linux.process(service.pid) is None:
            service.pid = None
        if service.pid is None and (found := self.processes.find(service)) is not None:
            self.processes.adopt(service, found, ready=service.spec.ready.kind is ReadyKind.NONE, now=now)
        service.mend(self.processes.empty(service), now)
        if service.state is State.STARTING:
            self.processes.watch_again(service.name)
        if service.name not in self._probes:
            self._probes.begin(service, now)

    def _inherit(self, service: Supervised, before: Inherited, now: float) -> None:
        """A service that is new to this generation of PID 1: its process may run since before."""
        self._recall(service)
        service.starts, service.failures, service.held = before.starts, before.failures, before.held
        found = self.processes.find(service, before.started)
        if found is not None:
            # Forked, and its exec not seen by the generation before: nothing else makes such a one ready.
            ready = before.ready or service.spec.ready.kind is ReadyKind.NONE
            self.processes.adopt(service, found, ready=ready, now=before.up_since or now)
            self._probes.begin(service, now)
        elif before.finished:
            service.did(now)

    def _last_good(self, name: str) -> Service:
        """For a service whose file is bad: what it was run by before an exec of PID 1, as far as that is known."""
        before = self.inherited.get(name, Inherited())
        return before.service or inheritance.as_it_runs(self.processes.first(name))

    def _recall(self, service: Supervised) -> None:
        """What the generation of PID 1 before has written of it, if there was one; whatever else is in that file."""
        with contextlib.suppress(Exception), open(self._status_file(service.name), "rb") as file:
            service.history.recall(load_service(json.load(file)))

    def strays(self, present: frozenset[str] | None, now: float) -> bool:
        """After an exec of PID 1, when all files have been read: stop what belongs to no service any more.

        False if that is not known: the directory was not there.
        """
        if present is None:
            return False
        for name in self._groups.services():
            group = self._groups.service(name)
            if name not in self.services and group != self._groups.shims and cgroups.populated(group):
                self._configure(name, GONE, now)
                self.services[name].remove()
        return True

    def bequeath(self) -> dict[str, Inherited]:
        """What the next generation of PID 1 cannot find out by itself."""
        return {name: inheritance.of(service) for name, service in self.services.items()}

    # -- status ------------------------------------------------------------------------------------------------------

    def publish(self) -> list[tuple[str, ServiceStatus | None]]:
        """Write the status files of what has changed, and what is known of deaths; returns the changes."""
        self._deaths.publish()
        changes: list[tuple[str, ServiceStatus | None]] = [(name, None) for name in self._forgotten]
        self._forgotten = []
        for name, service in self.services.items():
            if service.changed:
                status = service.status()
                durable.write(self._status_file(name), encode(status), 0o644, sync=False)
                service.changed = False
                changes.append((name, status))
        return changes
