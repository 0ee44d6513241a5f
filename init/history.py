"""What is remembered of one service in this boot: how it came up, and how often it has died unexpectedly. Pure.

Times are CLOCK_BOOTTIME.
"""

from dataclasses import replace

from init.contract.status import Beginning, LastExit, ServiceStatus, Wait

MOST_WAITS = 16
"""Of the first start: more are no help to whoever looks at the boot."""


class History:
    """Of a service that PID 1 knows since `now`."""

    def __init__(self, now: float):
        self.beginning = Beginning(now)
        self.deaths = 0
        self.last_death: LastExit | None = None

    def recall(self, before: ServiceStatus) -> None:
        """Go on from what another generation of PID 1 has written."""
        self.beginning = before.beginning or self.beginning
        self.deaths, self.last_death = before.deaths, before.last_death

    @property
    def shown(self) -> tuple[int, LastExit | None, Beginning]:
        """The end of a service's status."""
        return self.deaths, self.last_death, self.beginning

    def waits(self, wait: Wait) -> None:
        """It may not start yet."""
        begun = self.beginning
        if begun.started is None and len(begun.waits) < MOST_WAITS:
            self.beginning = replace(begun, waits=(*begun.waits, (wait.subject, wait.since)))

    def started(self, now: float) -> None:
        """A process was started."""
        if self.beginning.started is None:
            self.beginning = replace(self.beginning, started=now)

    def ready(self, now: float) -> None:
        """It is ready."""
        if self.beginning.ready is None:
            self.beginning = replace(self.beginning, ready=now)

    def died(self, exit_: LastExit) -> None:
        """It has ended, and nobody had asked for that."""
        self.deaths += 1
        self.last_death = exit_
