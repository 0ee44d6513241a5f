"""Facts -> what is up, and for what is not: the one thing that it waits for, since when, and what to do. Pure.

The order of the questions is the order of a boot: what comes first is the cause of what comes later.

    PID 1's phases -> configuration -> the agent's own steps (clock, certificate, mesh) -> underlay -> other machines
        -> services -> node
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hepto.mesh.model import View
from hepto.node.facts import Facts
from init.contract.status import PhaseState, Reason, ServiceStatus, State, Wait, dump

VERSION = 1
NOT_READY = {
    State.WAITING: "it has not been started yet",
    State.STARTING: "it is being started",
    State.UP: "it runs, but is not ready yet",
    State.STOPPING: "it is being stopped",
    State.BACKOFF: "it ended, and is started again soon",
}
AGENT_LOG = "hepto logs agent"
NO_NETWORK = "NetworkPluginNotReady"
"""containerd's reason for a network condition that is false; kubelet repeats it (kubelet.go, updateRuntimeUp)."""
CONSOLE = "the console shows what came before"
OTHERS = frozenset((Reason.ANCHOR, Reason.IMAGE, Reason.MASTER, Reason.RESOLVER))
"""What comes from other machines: while the underlay is not complete, that is why they do not answer."""
API_SERVER, KUBELET = "kube-apiserver", "kubelet"
BUILT_IN = frozenset(("logger", "agent", "lab"))


@dataclass(frozen=True)
class Status:
    ready: bool
    since: float
    waits_for: Wait | None
    """The first of `waits`."""
    waits: tuple[Wait, ...]
    facts: Facts

    def line(self, now: float) -> str:
        """The one line of console and commands."""
        if self.waits_for is not None:
            return self.waits_for.line(now)
        facts = self.facts
        network = facts.network
        where = f", {network.interface} {network.addresses[0]}" if network and network.addresses else ""
        return f"ready: node {facts.node} of cluster {facts.config.cluster if facts.config else ''}{where}"

    @property
    def subject(self) -> tuple[object, ...]:
        """What the line is about: another one is worth a new line on the console, another second is not."""
        wait = self.waits_for
        return (self.ready,) if wait is None else (wait.reason, wait.subject, wait.what)


def status(facts: Facts, before: Status | None = None, now: float = 0.0) -> Status:
    """The status; `since` is kept from the one before as long as it is ready, or is not."""
    waits = _once(_waits(facts))
    ready = not waits
    since = before.since if before is not None and before.ready == ready else now
    return Status(ready, since, waits[0] if waits else None, waits, facts)


def _once(waits: Iterable[Wait]) -> tuple[Wait, ...]:
    """Several parts may wait for the same, and say so in the same words: a full disk."""
    found: dict[tuple[object, ...], Wait] = {}
    for wait in waits:
        found.setdefault((wait.reason, wait.subject, wait.what), wait)
    return tuple(found.values())


def console(found: Status, now: float) -> tuple[str, ...]:
    """What the console shows: the one line, or every mistake of the configuration.

    A node that is ready also says which CA it belongs to: a server has no other place where an operator can read that
    before trusting it.
    """
    mistakes = found.facts.mistakes
    if not mistakes:
        authority = found.facts.fingerprint
        return (found.line(now), *((f"cluster CA {authority}",) if found.ready and authority else ()))
    lines = (f"{mistake.what}; {mistake.hint}" for mistake in mistakes)
    return ("waiting for configuration: nothing is started", *lines)


def _waits(facts: Facts) -> Iterator[Wait]:
    if facts.mistakes:
        first = facts.mistakes[0]
        more = f" (and {len(facts.mistakes) - 1} more)" if len(facts.mistakes) > 1 else ""
        yield Wait(Reason.CONFIGURATION, first.key, facts.started, first.what + more, first.hint)
        return
    yield from _phases(facts)
    yield from _problems(facts, others=False)
    if facts.network is None:
        if facts.node is not None:
            yield Wait(Reason.INTERFACE, "", facts.started, "the network is being looked at", AGENT_LOG)
    elif facts.network.missing is not None:
        missing = facts.network.missing
        yield Wait(missing.reason, missing.subject, facts.network.since, missing.what, missing.hint)
    yield from _problems(facts, others=True)
    yield from _services(facts)
    if facts.planned is None:
        if facts.node is None or not facts.problems:
            yield Wait(Reason.PHASE, "agent", facts.started, "the services are being planned", AGENT_LOG)
    else:
        yield from _kubernetes(facts)


def _problems(facts: Facts, *, others: bool) -> Iterator[Wait]:
    """What parts of the agent wait for: on this machine, or from others."""
    for problem in facts.problems.values():
        if (problem.reason in OTHERS) == others:
            yield Wait(problem.reason, problem.subject, problem.since, problem.what, problem.hint)


def _kubernetes(facts: Facts) -> Iterator[Wait]:
    """What is still to come when the services are up."""
    services = facts.services or {}
    server, kubelet = services.get(API_SERVER), services.get(KUBELET)
    if server is not None and is_up(server) and not facts.bootstrapped:
        what = "the objects that a cluster is born with are not applied yet"
        yield Wait(Reason.SERVICE, API_SERVER, server.since, what, AGENT_LOG)
    if kubelet is not None and is_up(kubelet) and facts.node_object is None:
        yield Wait(Reason.NODE, facts.node or "", kubelet.since, "it has not been looked at yet", AGENT_LOG)
    elif facts.node_object is not None and not facts.node_object.ready:
        yield Wait(Reason.NODE, facts.node or "", facts.node_object.since, facts.node_object.what, _advice(facts))


def _advice(facts: Facts) -> str:
    """What to do about a Node object that is not Ready."""
    awaited = facts.config is not None and facts.config.cni == "none"
    if awaited and facts.node_object and NO_NETWORK in facts.node_object.what:
        return "deploy your network plugin: hepto.cni=none leaves pods to it"
    return f"hepto logs {KUBELET}"


def _phases(facts: Facts) -> Iterator[Wait]:
    if facts.boot is None:
        yield Wait(Reason.PHASE, "boot", facts.started, "PID 1 has not said anything yet", CONSOLE)
        return
    for phase in facts.boot.phases:
        if phase.state is PhaseState.DONE:
            continue
        if phase.waits_for is not None:
            yield phase.waits_for
        elif phase.state is PhaseState.FAILED:
            yield Wait(Reason.PHASE, phase.name, phase.since, phase.error, CONSOLE)
        elif facts.node is None:  # a background phase that goes on beside a running node is no reason to wait
            yield Wait(Reason.PHASE, phase.name, phase.since or facts.started, "it is under way", CONSOLE)


def _services(facts: Facts) -> Iterator[Wait]:
    """Services that are not ready and wait for no other service: the roots of what does not run."""
    if facts.services is None:
        yield Wait(Reason.PHASE, "services", facts.started, "PID 1 has not listed its services yet", AGENT_LOG)
        return
    planned = facts.planned or {}
    for name in sorted((planned.keys() | facts.services.keys()) - BUILT_IN):
        found = facts.services.get(name)
        if found is None:
            yield Wait(Reason.SERVICE, name, planned[name], "PID 1 has not taken it over yet", AGENT_LOG)
        elif not is_up(found) and not _waits_for_service(found):
            yield _service(name, found, facts.probes.get(name, ""))


def _service(name: str, found: ServiceStatus, probe: str) -> Wait:
    what, hint = found.error, ""
    wait = found.waits_for
    if not what and found.state in (State.BACKOFF, State.FAILED) and found.last_exit is not None:
        what = f"{found.last_exit.words} ({found.starts} starts)"
    if not what and wait is not None and wait.reason is not Reason.SERVICE:
        return wait
    if not what and wait is not None:
        what, hint = probe or wait.what, wait.hint
    what = what or probe or NOT_READY.get(found.state, "it is not ready")
    return Wait(Reason.SERVICE, name, found.since, what, hint or f"hepto logs {name}")


def is_up(found: ServiceStatus) -> bool:
    """Ready, or ended as it should, or stopped by an operator."""
    return found.state in (State.READY, State.DOWN)


def _waits_for_service(found: ServiceStatus) -> bool:
    return found.state is State.WAITING and found.waits_for is not None and found.waits_for.reason is Reason.SERVICE


def answer(
    found: Status,
    now: float,
    gossip: Mapping[str, Any] | None = None,
    refused: Mapping[str, Mapping[str, int]] | None = None,
    boot_before: Mapping[str, Any] | None = None,
    course: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The status as plain JSON types, for `hepto status --json` and the agent's socket.

    `gossip` is `membership.summary`, None before it has begun; `refused` is `cluster.refused`; `boot_before` is
    `hepto.edge.evidence.boot_before`; `course` is `hepto.node.course.plain`.
    """
    facts = found.facts
    network = facts.network
    return {
        "version": VERSION,
        "ready": found.ready,
        "since": found.since,
        "now": now,
        "line": found.line(now),
        "waits": [_plain_wait(wait) for wait in found.waits],
        "node": facts.node,
        "cluster": facts.config.cluster if facts.config else None,
        "role": facts.config.role.value if facts.config else None,
        "address": str(facts.address) if facts.address else None,
        "directory": facts.directory,
        "data": facts.boot.data if facts.boot else "",
        "clock": facts.clock,
        "authority": facts.fingerprint,
        "backup": None if facts.backup is None else asdict(facts.backup),
        "copies": {
            "nodes": {name: list(found) for name, found in facts.copies.items()},
            "here": list(facts.copies_here),
        },
        "configuration": _plain_configuration(facts),
        "mistakes": [asdict(mistake) for mistake in facts.mistakes],
        "warnings": [*facts.warnings, *(network.warnings if network else ()), *_backups(facts)],
        "boot_before": boot_before,
        "course": course,
        "phases": dump(facts.boot)["phases"] if facts.boot else [],
        "services": _plain_services(facts.services),
        "network": None
        if network is None
        else {
            "interface": network.interface,
            "mtu": network.mtu,
            "addresses": [str(address) for address in network.addresses],
            "gateways": [str(gateway) for gateway in network.gateways],
            "resolvers": list(network.resolvers or ()),
            "search": list(network.search),
            "nat64": str(network.nat64) if network.nat64 else None,
        },
        "gossip": gossip,
        "mesh": _plain_mesh(facts.peers),
        "refused": {what: dict(counts) for what, counts in (refused or {}).items() if counts},
        "workers": sorted(facts.workers),
        "node_object": None if facts.node_object is None else asdict(facts.node_object),
    }


def _backups(facts: Facts) -> Iterator[str]:
    """What is wrong with them: one that nobody can open elsewhere is lost together with the disk."""
    if facts.no_backup:
        yield f"no backup could be taken: {facts.no_backup}; it is tried again"
    if facts.no_copy:
        yield f"no copy of the master's backup is kept: {facts.no_copy}; it is tried again"
    if facts.backup is not None and not facts.backup.encrypted:
        yield (
            "backups stay on this master's disk, not encrypted, and are lost with it: "
            "make a pair with “hepto key --backup” and boot it with hepto.backup-to=age1…"
        )


def _plain_configuration(facts: Facts) -> dict[str, dict[str, str]]:
    values = facts.config.shown() if facts.config else {}
    return {name: {"value": value, "source": facts.sources.get(name, "")} for name, value in values.items()}


def _plain_mesh(mesh: View) -> dict[str, Any]:
    """The peers as `hepto.mesh.model.PeerView` has them, and who was refused, with the reason."""
    return {
        "peers": [
            {**asdict(peer), "address": str(peer.address), "endpoint": str(peer.endpoint) if peer.endpoint else None}
            for peer in mesh.peers
        ],
        "refused": dict(mesh.refused),
    }


def _plain_wait(wait: Wait) -> dict[str, Any]:
    return {**asdict(wait), "reason": wait.reason.value}


def _plain_services(services: Mapping[str, ServiceStatus] | None) -> dict[str, Any]:
    return {name: dump(found) for name, found in sorted((services or {}).items())}
