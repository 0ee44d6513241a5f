"""The ordered shutdown (boot.md section 3): its steps as data, and the machine that walks through them. Pure.

    the kubelet, so that no pod is started again; pods: SIGTERM and up to 30 s; what runs pods; the control plane;
    etcd, when nobody writes to it any longer; the agent, which leaves the gossip; the logger, when all have said
    their last word; whatever is left; the file systems; the end.

Each step is one line on the console, ends when its condition holds or its time is over, and never goes back. What its
effects do may fail or hang: the machine only looks at facts and time, so a shutdown always comes to its end. The
watchdog, armed at the first step and fed no more, is the last resort.
"""

from enum import Enum
from typing import NamedTuple

WATCHDOG_SECONDS = 120
KILL_SECONDS = 5.0


class Action(Enum):
    """What comes at the end."""

    POWEROFF = "poweroff"
    REBOOT = "reboot"
    HALT = "halt"
    """Stay as it is, with the console's last lines; nobody orders that but PID 1 itself."""


class Kind(Enum):
    """What a step does, and what it waits for."""

    SERVICES = "services"  # stop services until none runs
    PODS = "pods"  # SIGTERM below /kubepods until it is empty; then kill
    SHIMS = "shims"  # kill containerd's shims, which are held until here
    OTHERS = "others"  # stop services that no step names
    KILL = "kill"  # SIGKILL to everything
    UNMOUNT = "unmount"  # in reverse order, in a child
    DETACH = "detach"  # what would not be unmounted
    SYNC = "sync"
    END = "end"


class Step(NamedTuple):
    """One step: its line, what it does, to which services, and how long at most."""

    name: str
    kind: Kind
    seconds: float
    services: tuple[str, ...] = ()


STEPS = (
    Step("stop the kubelet", Kind.SERVICES, 15.0, ("kubelet",)),
    Step("stop pods", Kind.PODS, 30.0),
    Step("stop what runs pods", Kind.SERVICES, 15.0, ("kube-proxy", "containerd")),
    Step("end the pods' shims", Kind.SHIMS, KILL_SECONDS),
    Step(
        "stop the control plane",
        Kind.SERVICES,
        20.0,
        ("coredns", "kube-scheduler", "kube-controller-manager", "kube-apiserver"),
    ),
    Step("stop other services", Kind.OTHERS, 15.0),
    Step("stop etcd", Kind.SERVICES, 15.0, ("etcd",)),
    Step("stop the agent", Kind.SERVICES, 10.0, ("agent",)),
    Step("stop the logger", Kind.SERVICES, 5.0, ("logger",)),
    Step("end what is left", Kind.KILL, KILL_SECONDS),
    Step("unmount file systems", Kind.UNMOUNT, 15.0),
    Step("detach file systems", Kind.DETACH, 5.0),
    Step("write out what is left", Kind.SYNC, 10.0),
    Step("end", Kind.END, 0.0),
)
LATE = ("lab",)
"""Services that only "end what is left" ends: through the lab's channel the shutdown itself is watched."""


class Facts(NamedTuple):
    """What is the case."""

    running: frozenset[str] = frozenset()
    pods: bool = False
    shims: bool = False
    children: bool = False
    job: bool = False
    """The child that unmounts or syncs is still at it."""
    mounted: bool = False
    """Unmounting has ended and left something."""


class Say(NamedTuple):
    """Effect: a line for console and log."""

    text: str


class Hold(NamedTuple):
    """Effect: stop these services, in the order that their `after` asks for."""

    services: tuple[str, ...]


class Do(NamedTuple):
    """Effect: begin what the step is about; with `force` the harder way."""

    kind: Kind
    force: bool = False


Effect = Say | Hold | Do


class Shutdown:
    """A shutdown under way. Doors: advance; deadline."""

    def __init__(self, action: Action, steps: tuple[Step, ...] = STEPS):
        self.action = action
        self._steps = steps
        self._at = -1
        self._until = 0.0
        self._forced = False
        self._hung = False
        """Unmounting was given up: what it has left is not known, so it is detached."""
        self.over = False

    @property
    def step(self) -> Step | None:
        """The step under way."""
        return self._steps[self._at] if 0 <= self._at < len(self._steps) else None

    def advance(self, facts: Facts, now: float) -> list[Effect]:
        """Go on as far as the facts allow; returns what is to be done. One begun step at most is waited for."""
        effects: list[Effect] = []
        if self._at < 0:
            self._enter(effects, facts, now)
            return effects
        if self.over or not self._through(facts, now, effects):
            return effects
        self._enter(effects, facts, now)
        return effects

    def deadline(self) -> float | None:
        """When `advance` is wanted even without a new fact."""
        return None if self.over or self._at < 0 else self._until

    def _enter(self, effects: list[Effect], facts: Facts, now: float) -> None:
        """Begin the next step that has something to do."""
        while True:
            self._at += 1
            step = self._steps[self._at]
            if not self._empty(step, facts):
                break
        number = f"{self._at + 1}/{len(self._steps)}"
        name = self.action.value if step.kind is Kind.END else step.name
        names = self._names(step, facts)
        tail = f" ({', '.join(names)})" if names else ""
        effects.append(Say(f"{self.action.value} {number}: {name}{tail}"))
        effects.append(Hold(names) if step.kind in (Kind.SERVICES, Kind.OTHERS) else Do(step.kind))
        self._until, self._forced = now + step.seconds, False
        self.over = step.kind is Kind.END

    def _through(self, facts: Facts, now: float, effects: list[Effect]) -> bool:
        """True if the step under way is done, or given up."""
        step = self._steps[self._at]
        if not self._waits(step, facts):
            return True
        if now < self._until:
            return False
        if step.kind is Kind.PODS and not self._forced:
            self._forced, self._until = True, now + KILL_SECONDS
            effects += [Say(f"pods did not end within {step.seconds:.0f} s, killed"), Do(step.kind, force=True)]
            return False
        effects.append(Say(f"{step.name}: not done within {step.seconds:.0f} s, going on"))
        self._hung = self._hung or step.kind is Kind.UNMOUNT
        return True

    def _empty(self, step: Step, facts: Facts) -> bool:
        """True if a step has nothing to do and is passed over in silence."""
        match step.kind:
            case Kind.SERVICES | Kind.OTHERS:
                return not self._names(step, facts)
            case Kind.PODS:
                return not facts.pods
            case Kind.SHIMS:
                return not facts.shims
            case Kind.DETACH:
                return not (facts.mounted or self._hung)
            case _:
                return False

    def _waits(self, step: Step, facts: Facts) -> bool:
        match step.kind:
            case Kind.SERVICES | Kind.OTHERS:
                return bool(self._names(step, facts))
            case Kind.PODS:
                return facts.pods
            case Kind.SHIMS:
                return facts.shims
            case Kind.KILL:
                return facts.children
            case _:
                return facts.job

    def _names(self, step: Step, facts: Facts) -> tuple[str, ...]:
        if step.kind is Kind.OTHERS:
            named = {name for other in self._steps for name in other.services}
            return tuple(sorted(facts.running - named - set(LATE)))
        return tuple(name for name in step.services if name in facts.running)
