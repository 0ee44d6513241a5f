"""How far a booting node is, from what its PID 1 says over the lab channel. Pure.

Looking costs the node next to nothing; asking its agent (`hepto status`) starts a Python there, which takes a second
in an emulated machine and would slow down the very boot that is watched. So the agent is asked only when it is likely
to say "ready", and now and then for the reason why not.
"""

from dataclasses import dataclass
from typing import Any

from init.contract.status import BootStatus, PhaseState, ServiceStatus, State, load_boot, load_service

LAST = "kubelet"
"""No node is Ready before this service is."""
AGENT, SHELL = "agent", "shell-"
"""An installation medium has shells on its terminals instead of an agent."""
PREPARING = "the agent is preparing"
"""It may wait for something that only itself can name: its answer is worth more than this."""
UP = frozenset((State.READY, State.DOWN))
ASK_SOON = 2.0
ASK_RARELY = 15.0


@dataclass(frozen=True)
class Look:
    """One look at a node."""

    detail: str
    """What is happening, in a few words."""
    settled: bool = False
    """Everything that PID 1 runs is as it should be."""
    medium: bool = False
    """It is an installation medium: there is no agent, and nothing more to wait for."""

    @property
    def patience(self) -> float:
        """Seconds between two questions to the agent."""
        return ASK_SOON if self.settled else ASK_RARELY


def look(state: dict[str, Any], *, kubernetes: bool = True) -> Look:
    """From the answer to the channel's `status`. What another version says and we do not understand is not settled."""
    try:
        boot = load_boot(state["boot"]) if state.get("boot") else None
        services = {name: load_service(value) for name, value in (state.get("services") or {}).items() if value}
    except (ValueError, AttributeError):
        return Look("it says what this version does not understand")
    if boot is None:
        return Look("PID 1 has started")
    for phase in boot.phases:
        if phase.state is not PhaseState.DONE:
            return Look(_phase(boot, phase.name))
    if AGENT not in services and any(name.startswith(SHELL) for name in services):
        return Look("it is an installation medium", settled=True, medium=True)
    names = sorted(name for name, found in services.items() if found.state not in UP)
    if names:
        up = len(services) - len(names)
        return Look(f"{up} of {len(services)} services are ready; not yet: {_names(names, services)}")
    if kubernetes and LAST not in services:
        return Look(PREPARING)
    return Look("all services are ready", settled=True)


def _phase(boot: BootStatus, name: str) -> str:
    phase = boot.phase(name)
    assert phase is not None
    if phase.waits_for is not None:
        return f"{name}: waiting for {phase.waits_for.reason.value} {phase.waits_for.subject}".rstrip()
    return f"{name} failed: {phase.error}" if phase.state is PhaseState.FAILED else f"{name} is under way"


def _names(names: list[str], services: dict[str, ServiceStatus]) -> str:
    """Those that run but are not ready first: the others wait for them."""
    starting = [name for name in names if services[name].state is not State.WAITING]
    return ", ".join(starting or names)


@dataclass(frozen=True)
class Verdict:
    """What the agent says."""

    ready: bool
    line: str
    hint: str = ""
    hopeless: bool = False
    """Waiting does not help: somebody has to change something."""


@dataclass(frozen=True)
class Pending:
    """A service or a phase of the boot that is not where it should be."""

    kind: str
    """`service` or `phase`."""
    name: str
    state: str
    seconds: int
    """For which it has been in that state."""
    why: str


HOPELESS = frozenset(("configuration", "data disk"))


def verdict(answer: dict[str, Any]) -> Verdict:
    """From `hepto status --json`. Raises ValueError for anything else."""
    try:
        waits = answer["waits"]
        first = waits[0] if waits else {}
        return Verdict(
            ready=answer["ready"] is True,
            line=str(answer["line"]),
            hint=str(first.get("hint") or ""),
            hopeless=first.get("reason") in HOPELESS,
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a node's status: {error!r}") from None


def pending(answer: dict[str, Any]) -> tuple[Pending, ...]:
    """What is not up, from `hepto status --json`: phases first, for services wait for them. Raises ValueError for
    anything else.
    """
    try:
        now = float(answer["now"])
        phases = [("phase", item["name"], item) for item in answer["phases"] if item["state"] != PhaseState.DONE.value]
        up = {state.value for state in UP}
        services = [("service", name, item) for name, item in answer["services"].items() if item["state"] not in up]
        return tuple(
            Pending(kind, str(name), str(item["state"]), max(0, int(now - float(item["since"] or 0))), _why(item))
            for kind, name, item in (*phases, *services)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a node's status: {error!r}") from None


def _why(item: dict[str, Any]) -> str:
    wait = item["waits_for"]
    return str(item["error"]) or (f"waits for {wait['reason']} {wait['subject']}".rstrip() if wait else "")
