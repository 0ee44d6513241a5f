"""What the agent does for Kubernetes beside planning it: probes, and on a master the objects that hepto makes.

Promises: a service is asked only while PID 1 says that it runs; the `system:masters` certificate exists in memory only,
while objects are applied.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from hepto.edge.pump import pause
from hepto.kube import apiserver, health, kubelet, objects, pulls
from hepto.kube import driver as kube
from hepto.kube.files import KubePlan
from hepto.kube.health import Health, Probe
from hepto.kube.objects import NodeFacts, Object
from hepto.kube.parameters import KubeParameters
from hepto.kube.plan import CLIENTS
from hepto.log import Log
from hepto.node import image_pulls
from hepto.node.board import Board
from hepto.node.facts import Ready
from hepto.node.probes import Watch
from hepto.node.supervisor import Supervisor
from init.contract.service import Service
from init.contract.status import Reason, State

API_SERVER = apiserver.NAME
KUBELET = kubelet.NAME
ASKABLE = (State.STARTING, State.UP, State.READY)
NODE_INTERVAL = 1.0
MASTER = "master"


class ControlPlane:
    """Of one node, whatever its role. `mint` makes a `system:masters` certificate with its key, as PEM (masters).

    `operators` are the fingerprints of the operators' keys.
    """

    def __init__(
        self, board: Board, supervisor: Supervisor, mint: Callable[[], bytes], operators: tuple[str, ...] = ()
    ):
        self._board = board
        self._supervisor = supervisor
        self._mint = mint
        self._operators = operators
        self._log = Log("kube")
        self._started = False

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
        if parameters.master:
            group.create_task(self._keep_objects(parameters))
        else:
            group.create_task(self.await_master(health.master_ready(parameters)))
        if parameters.worker:
            group.create_task(self._watch_node(parameters))
            group.create_task(image_pulls.watch(self._board, pulls.probe(parameters)))

    def permitted(self, plan: KubePlan, *, master: bool) -> KubePlan:
        """The plan without the services that are of no use before the master's apiserver has answered once.

        Started earlier they would take the processor from what they wait for, with one handshake after the other. What
        is left out of a plan is not removed, so they go on when only the agent begins anew.
        """
        if master or self._board.facts.served:
            return plan
        return replace(plan, services={name: one for name, one in plan.services.items() if name not in CLIENTS})

    async def await_master(self, probe: Probe) -> None:
        """Ask until the master's apiserver says that it serves; from then on `permitted` leaves nothing out."""
        asker = kube.Asker()
        clock = asyncio.get_running_loop().time
        try:
            while True:
                begin = clock()
                answer = await asker.check((probe,))
                if answer.ready:
                    break
                what = f"the apiserver does not serve yet ({probe.url}): {answer.what}"
                self._board.problem(MASTER, Reason.MASTER, API_SERVER, what, "look at the master; it is asked again")
                await pause(max(NODE_INTERVAL, health.interval(ready=False, took=clock() - begin)))
        finally:
            await asker.close()
        self._board.solved(MASTER)
        self._board.learn(served=True)
        self._board.work.set()

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

    async def _keep_objects(self, parameters: KubeParameters) -> None:
        """Of the cluster, and of every node that runs pods: a kubelet finds its Node object made when it comes."""
        applied: dict[str, Object] = {}
        workers: frozenset[str] | None = None
        while True:
            await self._board.service_ready(API_SERVER)
            while workers == self._board.facts.workers:
                await self._board.changed()
            workers = self._board.facts.workers
            wanted = {item.path: item for item in self._objects(parameters)}
            gone = [Object(path, {}) for path, item in applied.items() if path not in wanted and item.body]
            missing = tuple(item for item in (*wanted.values(), *gone) if applied.get(item.path) != item)
            if missing:
                await kube.bootstrap(
                    parameters.api_url, parameters.certificates.authority(), self._mint, missing, self._refused
                )
                applied.update({item.path: item for item in missing})
                self._board.solved("objects")
                self._board.learn(bootstrapped=True)
                self._log.info("objects applied", objects=len(missing))

    def _objects(self, parameters: KubeParameters) -> tuple[Object, ...]:
        wanted = objects.cluster(parameters.plan, (parameters.node,), self._operators)
        if parameters.worker:
            own = NodeFacts(parameters.node, parameters.address, parameters.pods, parameters.master)
            wanted += objects.node(own)
        for name in sorted(self._board.facts.workers):
            facts = NodeFacts(name, parameters.plan.node(name), parameters.plan.pod_subnet(name), master=False)
            wanted += objects.node(facts)
        return wanted

    def _refused(self, refusal: str) -> None:
        self._board.problem("objects", Reason.SERVICE, API_SERVER, refusal, "it is tried again")

    async def _watch_node(self, parameters: KubeParameters) -> None:
        probe = health.node_ready(parameters)
        asker = kube.Asker()
        before: Ready | None = None
        unanswered = 0
        while True:
            await self._board.service_ready(KUBELET)
            answer = await asker.node_ready(probe)
            unanswered = 0 if answer.ready or answer.reason is Reason.NODE else unanswered + 1
            if before is not None and 0 < unanswered < health.FAILURES:
                pass  # no answer is no other answer: the apiserver may be busy
            elif before is None or (before.ready, before.what) != (answer.ready, answer.what):
                since = before.since if before is not None and before.ready == answer.ready else self._board.now()
                before = Ready(answer.ready, since, answer.what)
                self._board.learn(node_object=before)
            await pause(health.READY_INTERVAL if answer.ready else NODE_INTERVAL)
