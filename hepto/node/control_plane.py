"""What the agent does for Kubernetes beside planning it: certificates in time, probes, bootstrap objects.

Promises: certificates are renewed by their own deadline, not by luck; a service is asked only while PID 1 says that it
runs; the `system:masters` certificate exists in memory only, while the objects are applied.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from hepto.edge.pump import pause
from hepto.kube import driver as kube
from hepto.kube import health, objects
from hepto.kube.health import Health
from hepto.kube.parameters import KubeParameters
from hepto.log import Log
from hepto.node import desired
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.facts import Ready
from hepto.node.probes import Watch
from hepto.node.supervisor import Supervisor
from hepto.pki.driver import ImplausibleClockError, Pki
from init.contract.service import Service
from init.contract.status import Reason, State

LONGEST_PAUSE = 60.0
"""Deadlines of certificates are wall time, which may be set: look at them anew at least so often."""
API_SERVER = "kube-apiserver"
KUBELET = "kubelet"
ASKABLE = (State.STARTING, State.UP, State.READY)
NODE_INTERVAL = 1.0


class ControlPlane:
    """Of one node that is master and worker, or master only."""

    def __init__(self, board: Board, node: Identity, supervisor: Supervisor):
        self._board = board
        self._node = node
        self._supervisor = supervisor
        self._pki = Pki(node.directory, desired.subject(node))
        self._log = Log("kube")
        self._started = False
        self._due: datetime | None = None

    def certificates(self, now: datetime, *, plausible: bool) -> bool:
        """Make and renew what is due; True when all is there. Raises UserError, OSError."""
        if not self._node.runs_kubernetes or not self._node.config.role.has_control_plane:
            return False
        if self._due is None or now >= self._due:
            if self._node.config.identity is None:
                self._pki.identity()  # made at the first boot; joins and renewals are signed with it
            try:
                issued = self._pki.establish(now, plausible=plausible)
            except ImplausibleClockError:
                what, hint = "no cluster is made with an implausible clock", "let NTP in, or set the machine's clock"
                self._board.problem("certificates", Reason.CLOCK, "", what, hint)
                return False
            self._due = self._pki.deadline(now)
            if issued:
                self._log.info("certificates issued", profiles=[due.profile.name for due in issued])
                if self._board.facts.clock != "synchronised":
                    self._log.warning("they are dated by a clock that NTP has not set yet", time=now.isoformat())
            self._board.learn(fingerprint=self._pki.fingerprint)
        self._board.solved("certificates")
        return True

    def pause(self, now: datetime) -> float:
        """Seconds until `certificates` wants to be called again."""
        return LONGEST_PAUSE if self._due is None else min(LONGEST_PAUSE, max(1.0, (self._due - now).total_seconds()))

    def start(self, parameters: KubeParameters, services: Mapping[str, Service], group: asyncio.TaskGroup) -> None:
        """Begin to ask services, once; what they are asked does not change while the node runs."""
        if self._started:
            return
        self._started = True
        awaited = {name for service in services.values() for name in service.after}
        for name, probes in health.probes(parameters).items():
            process = partial(self._process, name)
            watch = Watch(probes, process, self._board.changed, self._report, awaited=name in awaited)
            group.create_task(watch.run())
        group.create_task(self._bootstrap(parameters))
        if parameters.worker:
            group.create_task(self._watch_node(parameters))

    def _process(self, service: str) -> tuple[int | None, int] | None:
        """Which process of a service runs: its pid and how many times it was started; None for none."""
        found = (self._board.facts.services or {}).get(service)
        return (found.pid, found.starts) if found is not None and found.state in ASKABLE else None

    async def _report(self, service: str, answer: Health) -> None:
        probes = dict(self._board.facts.probes)
        probes.pop(service, None)
        if not answer.ready:
            probes[service] = answer.what
        self._board.learn(probes=probes)
        found = (self._board.facts.services or {}).get(service)
        if found is not None and found.state in ASKABLE and (found.state is State.READY) != answer.ready:
            with contextlib.suppress(OSError):  # said again at the next probe
                await self._supervisor.ready(service, ready=answer.ready)

    async def _bootstrap(self, parameters: KubeParameters) -> None:
        await self._until_ready(API_SERVER)
        wanted = objects.cluster(parameters.plan, (parameters.node,))
        if parameters.worker:
            facts = objects.NodeFacts(parameters.node, parameters.address, parameters.pods, parameters.master)
            wanted += objects.node(facts)

        def note(refusal: str) -> None:
            self._board.problem("objects", Reason.SERVICE, API_SERVER, refusal, "it is tried again")

        def mint() -> bytes:
            return self._pki.bootstrap(datetime.now(UTC)).pem()

        authority = parameters.certificates.authority()
        await kube.bootstrap(parameters.api_url, authority, mint, wanted, note)
        self._board.solved("objects")
        self._board.learn(bootstrapped=True)
        self._log.info("bootstrap objects applied", objects=len(wanted))

    async def _watch_node(self, parameters: KubeParameters) -> None:
        probe = health.node_ready(parameters)
        asker = kube.Asker()
        before: Ready | None = None
        unanswered = 0
        while True:
            await self._until_ready(KUBELET)
            answer = await asker.node_ready(probe)
            unanswered = 0 if answer.ready or answer.reason is Reason.NODE else unanswered + 1
            if before is not None and 0 < unanswered < health.FAILURES:
                pass  # no answer is no other answer: the apiserver may be busy
            elif before is None or (before.ready, before.what) != (answer.ready, answer.what):
                since = before.since if before is not None and before.ready == answer.ready else self._board.now()
                before = Ready(answer.ready, since, answer.what)
                self._board.learn(node_object=before)
            await pause(health.READY_INTERVAL if answer.ready else NODE_INTERVAL)

    async def _until_ready(self, service: str) -> None:
        while True:
            found = (self._board.facts.services or {}).get(service)
            if found is not None and found.state is State.READY:
                return
            await self._board.changed()
