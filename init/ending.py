"""Carries out a shutdown: gives its machine the facts, does what it asks, says each step on the console.

Promises: never waits; unmounting and syncing happen in children, whose hanging costs a step's time and no more.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import assert_never

from init import cgroups, linux
from init.boot import Finished, Run
from init.contract import durable, paths
from init.inbox import Inbox
from init.jobs import Jobs
from init.settings import Settings
from init.shutdown import Action, Do, Effect, Facts, Hold, Kind, Say, Shutdown
from init.supervisor import Supervisor

SIGNALS: dict[int, Action] = {
    signal.SIGTERM: Action.POWEROFF,
    signal.SIGPWR: Action.POWEROFF,
    signal.SIGINT: Action.REBOOT,
    signal.SIGUSR1: Action.HALT,  # from ourselves (damage.py)
}
LOOK = 0.05
"""Seconds between two looks at what a shutdown waits for: the death of pods and shims is not told to anybody."""
CHILD_SECONDS = 60.0
"""For what unmounts or syncs: longer than its step, which does not wait for it any more then."""


class Ending:
    """A shutdown under way."""

    def __init__(
        self,
        action: Action,
        settings: Settings,
        groups: cgroups.Cgroups,
        supervisor: Supervisor,
        jobs: Jobs,
        say: Callable[[str], None],
    ):
        self._machine = Shutdown(action, settings.steps)
        self._settings, self._groups, self._supervisor, self._jobs, self._say = settings, groups, supervisor, jobs, say
        self._effects: Inbox[Effect] = Inbox()
        self._job = 0
        self._mounted = False
        supervisor.freeze(say)
        self._tell()

    @property
    def action(self) -> Action:
        """What comes at the end."""
        return self._machine.action

    def change(self, action: Action) -> None:
        """Another wish has come: only the end differs."""
        self._machine.action = action
        self._tell()

    def _tell(self) -> None:
        """Say to the logger how this boot is going to end, for the record."""
        with contextlib.suppress(OSError):
            durable.write(self._settings.root + paths.ENDING, self.action.value.encode(), sync=False)

    def deadline(self, now: float) -> float:
        """When `advance` is wanted."""
        return now + LOOK

    def advance(self, now: float) -> None:
        """Go on as far as the facts allow."""
        facts = Facts(
            self._supervisor.running(),
            _populated(self._groups.pods),
            _populated(self._groups.shims),
            _has_children(),
            self._job > 0,
            self._mounted,
        )
        if self._machine.over:  # an exception came between the machine's last step and the end
            self._settings.end(self.action)
        for effect in self._machine.advance(facts, now):
            self._effects.add(effect)
        self._effects.deliver(self._perform)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Say(text):
                self._say(text)
            case Hold(names):
                self._supervisor.hold(names)
                self._supervisor.settle(linux.now())
            case Do(kind, force):
                self._do(kind, force)

    def _do(self, kind: Kind, force: bool) -> None:
        match kind:
            case Kind.PODS if force:
                cgroups.kill(self._groups.pods)
            case Kind.PODS:
                cgroups.send(self._groups.pods, signal.SIGTERM)
            case Kind.SHIMS:
                cgroups.kill(self._groups.shims)
            case Kind.KILL:
                kill_all(signal.SIGKILL)
            case Kind.UNMOUNT | Kind.DETACH:
                self._child(lambda: self._settings.unmount(kind is Kind.DETACH))
            case Kind.SYNC:
                self._child(os.sync)
            case Kind.END:
                self._settings.end(self.action)
            case Kind.SERVICES | Kind.OTHERS:
                raise AssertionError(f"{kind} is a Hold")
            case _:
                assert_never(kind)

    def _child(self, call: Callable[[], None]) -> None:
        self._job += 1
        number = self._job

        def done(result: Finished) -> None:
            if number != self._job:
                return  # an earlier one, given up on long ago
            self._job = 0
            self._mounted = result.code != 0
            if result.code != 0:
                self._say(result.output.decode(errors="replace").strip() or f"it ended with {result.code}")

        self._jobs.start(Run(call=call, timeout=CHILD_SECONDS, capture=True), done, linux.now())


def _populated(group: str) -> bool:
    """What cannot be known counts as running: then the step's time decides, and the shutdown goes on."""
    try:
        return cgroups.populated(group)
    except OSError:
        return True


def kill_all(number: int) -> None:
    """A signal to every process but this. Anywhere but in PID 1 that would be the host's, so there it does nothing."""
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
