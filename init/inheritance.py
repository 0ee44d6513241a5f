"""What one generation of PID 1 tells the next of a service: what neither its control group nor its file says.

Its file may be bad by then: so the specification that is in force goes along. A generation that trusts nothing which it
was told still leaves what runs running: a bad file is no reason to stop a service.
"""

from typing import NamedTuple

from init import linux
from init.contract.service import BadServiceError, Restart, Service, Wanted, When, parse
from init.contract.status import State
from init.service import Supervised

GONE = Service(argv=("/gone",), wanted=Wanted.DOWN)
"""Stands for a service that nobody knows any more, or does not know yet: it is never started."""


class Inherited(NamedTuple):
    """What the generation before knew of a service."""

    started: int | None = None
    starts: int = 0
    failures: int = 0
    held: bool = False
    up_since: float = 0.0
    ready: bool = True
    finished: bool = False
    spec: str = ""
    """The service file in force, as text; "" if there was no good one."""

    @property
    def service(self) -> Service | None:
        """The specification in force; None if there was none, or it is of another version."""
        try:
            return parse(self.spec.encode()) if self.spec else None
        except (BadServiceError, AttributeError, UnicodeError):
            return None


def of(service: Supervised) -> Inherited:
    """What is to be told of a service."""
    process = linux.process(service.pid) if service.pid else None
    return Inherited(
        process.started if process else None,
        service.starts,
        service.failures,
        service.held,
        service.up_since,
        service.state is State.READY,
        service.finished,
        "" if service.spec == GONE else service.spec.dump().decode(),
    )


def as_it_runs(process: linux.Process | None) -> Service:
    """For a service without any good specification: it is left running as long as it does, and not started again."""
    argv = linux.command_line(process.pid) if process is not None else ()
    return Service(argv, restart=Restart(When.NEVER)) if argv else GONE
