"""The processes of services: starting, signalling, finding them again. Who is whose main process, by pid.

Promises: never waits; a process is signalled by its control group where the scope says so, else by the pid that has not
been reaped yet, so no stranger is ever hit. It decides nothing: when to start or stop is the supervisor's.
"""

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from init import cgroups, linux, spawn
from init.contract.service import ReadyKind, Scope, Service
from init.contract.status import LastExit
from init.fifos import Fifos
from init.service import Supervised

NEWBORN_SECONDS = 2.0
"""A child joins its control group in its first milliseconds; one that does not will not."""
TICKS = os.sysconf("SC_CLK_TCK")


class Poller(Protocol):
    """What is needed of the loop."""

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None: ...
    def forget(self, descriptor: int) -> None: ...


class Processes:
    """All main processes. `executed(name)` is called from the loop when a start has gone through."""

    def __init__(
        self,
        groups: cgroups.Cgroups,
        fifos: Fifos,
        poller: Poller,
        notify_socket: str,
        executed: Callable[[str], None],
    ):
        self.pids: dict[int, str] = {}
        self.launches: dict[str, spawn.Launch] = {}
        """How each service was started last: the minimal loop starts it the same way."""
        self._groups, self._fifos, self._poller = groups, fifos, poller
        self._notify_socket, self._executed = notify_socket, executed
        self._errors: dict[str, int] = {}
        self._kills: dict[str, int] = {}
        """What the control groups had counted when the services were started."""

    def start(self, service: Supervised, now: float) -> None:
        """Fork and exec. Raises OSError when that cannot be; nothing was started then."""
        name = service.name
        self.launches[name] = what = self._launch(name, service.spec)
        self._kills[name] = cgroups.memory_kills(what.cgroup)
        launched = spawn.launch(what)
        self.pids[launched.pid] = name
        service.forked(launched.pid, None, now)
        if name in self._errors:
            self._close_errors(name)
        self._errors[name] = launched.errors
        self._poller.watch(launched.errors, lambda: self._exec_done(name))

    def _launch(self, name: str, spec: Service) -> spawn.Launch:
        group = self._groups.make(name, spec.limits) if self._groups.available else ""
        env = {"PATH": spawn.PATH, "LANG": "C.UTF-8", **spec.env}
        if spec.ready.kind is ReadyKind.NOTIFY:
            env["NOTIFY_SOCKET"] = self._notify_socket
        who = spawn.identity(spec.user, spec.groups) if spec.user or spec.groups else spawn.Identity()
        return spawn.Launch(
            spec.argv,
            env,
            spec.cwd,
            who,
            spawn.capability_set(spec.capabilities),
            spec.limits.nofile,
            spec.oom_score_adj,
            group,
            self._fifos.ensure(name),
        )

    def watch_again(self, name: str) -> None:
        """After an exception: a start whose pipe is not watched any more has gone through, as far as can be known."""
        if name in self._errors:
            self._poller.watch(self._errors[name], lambda: self._exec_done(name))
        else:
            self._executed(name)

    def ended(self, name: str, kind: str, value: int, now: float) -> tuple[LastExit, str]:
        """How a main process ended, and in words why its start failed, if it did."""
        error = ""
        if name in self._errors:
            failed = spawn.exec_error(self._errors[name])
            if failed is not None:
                kind, (value, error) = "exec", failed
            self._close_errors(name)
        ended = LastExit(kind, value, now)
        if ended.is_kill and cgroups.memory_kills(self._groups.service(name)) > self._kills.get(name, 0):
            ended = replace(ended, out_of_memory=True)
        return ended, error

    def _exec_done(self, name: str) -> None:
        """The start's pipe was closed by exec; or it tells an error, which is read when the death comes."""
        if linux.bytes_in(self._errors[name]):
            self._poller.forget(self._errors[name])
            return
        self._close_errors(name)
        self._executed(name)

    def _close_errors(self, name: str) -> None:
        descriptor = self._errors.pop(name)
        self._poller.forget(descriptor)
        os.close(descriptor)

    # -- signals -----------------------------------------------------------------------------------------------------

    def stop(self, service: Supervised) -> None:
        """Send the stop signal: to all of the control group, or to the main process alone."""
        spec = service.running or service.spec
        number = signal.Signals[spec.stop.signal]
        if self._whole_group(service):
            cgroups.send(self._groups.service(service.name), number)
        else:
            linux.kill(service.pid, number)

    def kill(self, service: Supervised) -> None:
        """The same with SIGKILL."""
        if self._whole_group(service):
            self._groups.kill(service.name)
        else:
            linux.kill(service.pid, signal.SIGKILL)

    def _whole_group(self, service: Supervised) -> bool:
        return (service.running or service.spec).stop.scope is Scope.CGROUP and self._groups.available

    # -- the truth ---------------------------------------------------------------------------------------------------

    def empty(self, service: Supervised) -> bool:
        """True if nothing runs in the service's control group."""
        return not cgroups.populated(self._groups.service(service.name))

    def find(self, service: Supervised, started: int | None = None) -> linux.Process | None:
        """The main process of a service, by its control group and start time."""
        found = cgroups.main_process(self._groups.service(service.name), os.getpid(), started)
        if found is None or found.started == started or service.spec.stop.scope is Scope.CGROUP:
            return found
        # Scope `process` leaves strangers in the group (a shim on its way to its own): only the program itself will do.
        return found if linux.command_line(found.pid) == service.spec.argv else None

    def first(self, name: str) -> linux.Process | None:
        """The eldest process of a service's control group that may be its main process, whatever its specification."""
        return cgroups.main_process(self._groups.service(name), os.getpid(), None)

    def newborn(self, known: Iterable[int]) -> bool:
        """True if a young child of ours, none of `known`, is still in PID 1's own group."""
        young = linux.now() - NEWBORN_SECONDS
        for pid in set(cgroups.members(self._groups.init)) - {os.getpid(), *known}:
            process = linux.process(pid)
            ours = process is not None and process.parent == os.getpid() and process.state != "Z"
            if ours and process is not None and process.started / TICKS >= young:
                return True
        return False

    def adopt(self, service: Supervised, process: linux.Process, *, ready: bool, now: float) -> None:
        """The process runs since before."""
        service.adopted(process.pid, process.started, ready, now)
        self.pids[process.pid] = service.name
        self._fifos.ensure(service.name)

    def forget(self, name: str) -> None:
        """The service is gone for good."""
        self.launches.pop(name, None)
        self._kills.pop(name, None)
        self._groups.remove(name)
        self._fifos.retire(name)
