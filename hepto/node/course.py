"""How the node came up in this boot: when each of the agent's steps was done, and what was waited for. Pure.

It ends when the node is ready for the first time. Times are CLOCK_BOOTTIME. An agent that is started anew goes on with
the course that the one before has written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from hepto.node.facts import Clock, Facts
from hepto.node.status import Status
from init.contract.status import Wait

MOST_WAITS: Final = 64
"""More are no help to whoever looks at a boot."""
READY: Final = "ready"

STEPS: Final[Mapping[str, Callable[[Facts], bool]]] = {
    "configuration": lambda facts: facts.config is not None,
    "identity": lambda facts: facts.node is not None,
    "underlay": lambda facts: facts.network is not None and facts.network.missing is None,
    "clock": lambda facts: facts.clock not in (Clock.UNKNOWN, Clock.FLOOR),
    "certificates": lambda facts: bool(facts.fingerprint),
    "mesh": lambda facts: facts.mesh,
    "plan": lambda facts: facts.planned is not None,
    "cluster objects": lambda facts: facts.bootstrapped,
    "node object": lambda facts: facts.node_object is not None and facts.node_object.ready,
}
"""What the agent does, and how it is known to be done for the first time."""


@dataclass(frozen=True)
class Waited:
    """What the node waited for: the first of its waits, as long as that was the same."""

    reason: str
    subject: str
    what: str
    since: float
    until: float | None = None


@dataclass(frozen=True)
class Course:
    """As far as it has come; `steps` has READY too, when the node is."""

    started: float
    """The agent was, for the first time."""
    steps: Mapping[str, float] = field(default_factory=dict)
    waits: tuple[Waited, ...] = ()

    def follow(self, status: Status, now: float) -> "Course":
        """What is the case now."""
        if READY in self.steps:
            return self
        done = {name: now for name, is_done in STEPS.items() if name not in self.steps and is_done(status.facts)}
        if status.ready:
            done[READY] = now
        steps, waits = {**self.steps, **done}, _waits(self.waits, status.waits_for, now)
        return replace(self, steps=steps, waits=waits)


def _waits(before: tuple[Waited, ...], wait: Wait | None, now: float) -> tuple[Waited, ...]:
    last = before[-1] if before and before[-1].until is None else None
    if last is not None and wait is not None and (last.reason, last.subject) == (wait.reason.value, wait.subject):
        return (*before[:-1], replace(last, what=wait.what))
    ended = before if last is None else (*before[:-1], replace(last, until=now))
    if wait is None or len(ended) >= MOST_WAITS:
        return ended
    return (*ended, Waited(wait.reason.value, wait.subject, wait.what, now))


def plain(course: Course) -> dict[str, Any]:
    """As plain JSON types."""
    return {**asdict(course), "waits": [asdict(wait) for wait in course.waits]}


def load(value: Any) -> Course | None:
    """The reverse; None if it is none, as when a version before has written it. Any: what JSON can say."""
    try:
        return Course(
            float(value["started"]),
            {str(name): float(at) for name, at in value["steps"].items()},
            tuple(
                Waited(
                    str(wait["reason"]),
                    str(wait["subject"]),
                    str(wait["what"]),
                    float(wait["since"]),
                    None if wait["until"] is None else float(wait["until"]),
                )
                for wait in value["waits"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
