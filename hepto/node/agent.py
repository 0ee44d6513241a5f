"""The agent: reads what the node shall be, brings network, mesh, clock and certificates up, plans what PID 1 runs.

Promises: after a restart it changes nothing that runs; a step that fails is named in the status and tried again; a
defect ends the agent (PID 1 starts it again) rather than being passed over. Nothing here decides: desired.py and
status.py do, the drivers act, and this file carries facts from one to the other.

    configuration -> identity -+-> firewall -> underlay -> resolvers, clock -> gossip
                               +-> mounts -> cluster (mesh, certificates) -> Kubernetes' files and services -> probes
"""

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from hepto.clock.model import Save
from hepto.config import Config
from hepto.edge import evidence, files, netlink, route
from hepto.errors import UserError
from hepto.firewall.driver import Firewall
from hepto.kube import driver as kube
from hepto.kube.files import KubePlan
from hepto.kube.plan import plan as kube_plan
from hepto.log import Log
from hepto.net.driver import NetworkDriver
from hepto.net.model import View
from hepto.node import answers, backups, course, desired, gate, identity, image_pulls, restorer, status, writer
from hepto.node.board import Board
from hepto.node.cluster import Cluster
from hepto.node.control_plane import ControlPlane
from hepto.node.desired import Identity
from hepto.node.keeper import Keeper
from hepto.node.machine_facts import Image, image, images_digest, memory_bytes
from hepto.node.mender import Device, Mender
from hepto.node.orders import NodeOrders
from hepto.node.stream import Stream
from hepto.node.supervisor import Supervisor
from hepto.node.timekeeping import Timekeeper
from init.contract import durable, paths
from init.contract.status import PhaseState, Reason

T = TypeVar("T")
WANTED_PHASES = ("credentials", "data")
REMIND_SECONDS = 60.0
RETRY_SECONDS = 2.0
RESTORE_SECONDS = 5.0
SETTLE_SECONDS = 0.05
"""Changes of the status come in bursts; the console need not see each."""
LOOPBACK = 1
ETCD = "etcd"
RESOLV_CONF = f"{paths.ETC}/resolv.conf"


class Agent:
    """One node's agent."""

    def __init__(self, supervisor: Supervisor, image: Image):
        self._supervisor = supervisor
        self._log = Log("agent")
        self._board = Board()
        self._board.course = _course_before() or self._board.course
        self._image = image
        self._keeper: Keeper | None = None
        self._clock: Timekeeper | None = None
        self._cluster: Cluster | None = None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._speak())
                group.create_task(answers.serve(self._answer))
                await self._boot(group)
        finally:
            self._save_all()

    def renew(self) -> None:
        """Have every certificate issued anew, as after its half-life."""
        if self._cluster is not None:
            self._cluster.renew()

    def _answer(self) -> dict[str, Any]:
        board, cluster, before = self._board, self._cluster, evidence.boot_before()
        gossip, refused = (None, None) if cluster is None else (cluster.gossip, cluster.refused)
        return status.answer(board.status, board.now(), gossip, refused, before, course.plain(board.course))

    async def _listen(self) -> None:
        stream = Stream(_boot_file)
        async for packet in self._supervisor.changes():
            if stream.take(packet):
                self._board.learn(boot=stream.boot(), services=stream.services())

    async def _speak(self) -> None:
        """The one line, on the console whenever it changes, and every minute while the configuration is bad; and how
        the node comes up, for whoever draws that."""
        board = self._board
        told: tuple[object, ...] | None = None
        written: course.Course | None = None
        while True:
            try:
                async with asyncio.timeout(REMIND_SECONDS if board.facts.mistakes else None):
                    await board.news.wait()
            except TimeoutError:
                told = None
            await asyncio.sleep(SETTLE_SECONDS)
            board.news.clear()
            if board.course != written:
                written = board.course
                _keep_course(written)
            if board.status.subject == told:
                continue
            told = board.status.subject
            for line in status.console(board.status, board.now()):
                self._log.info(line)
                with contextlib.suppress(OSError):
                    await self._supervisor.note(line)

    # --- the way to a running node

    async def _boot(self, group: asyncio.TaskGroup) -> None:
        board = self._board
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            route.set_link(kernel, LOOPBACK, up=True)
        await self._phases()
        resolution = await self._read(identity.configuration)
        sources = {name: str(source) for name, source in resolution.provenance.items()}
        board.learn(
            warnings=resolution.warnings, mistakes=resolution.mistakes, config=resolution.config, sources=sources
        )
        for warning in resolution.warnings:
            self._log.warning(warning)
        if resolution.config is None:
            return  # stays up and says so; a corrected configuration comes with a reboot
        if resolution.config.restore is not None:
            await self._restore(resolution.config)
        try:
            node, remembered = await self._read(partial(identity.identify, resolution.config))
        except UserError as error:
            board.failed("identity", error, Reason.CONFIGURATION)
            return
        board.learn(node=node.node, address=node.address, directory=node.directory)
        keeper = self._keeper = Keeper(board, node.directory, replace(remembered, machine_id=node.machine_id))
        timekeeper = self._clock = await self._read(
            partial(Timekeeper, board, node.directory, remembered, self._image.built, self._keep_clock)
        )
        timekeeper.start()
        keeper.write()
        socket.sethostname(node.node)
        firewall = Firewall(desired.firewall_policy(node))
        network = NetworkDriver(
            desired.network_settings(node.config), firewall.guard, self._network_changed, self._network_trouble
        )
        group.create_task(network.run())
        group.create_task(keeper.run())
        group.create_task(timekeeper.run())
        group.create_task(gate.watch(board, firewall))
        group.create_task(Mender(board, Device(node.directory), self._supervisor).run())
        await self._mounts(node)
        while board.facts.network is None:  # what the kernel has, not what a router says: at once
            await board.changed()
        await self._reconcile(node, await self._open(node, remembered.gossip, keeper, timekeeper), group)

    async def _read(self, step: Callable[[], T]) -> T:
        """What reads the data disk is tried until that can be read: the agent's end would mend nothing."""
        while True:
            try:
                found = step()
            except OSError as error:
                self._board.failed("data", error, Reason.DATA_DISK)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._board.solved("data")
                return found

    async def _restore(self, config: Config) -> None:
        """A master that is to be brought back makes no cluster of its own, whatever the backup is like."""
        while True:
            try:
                found = await asyncio.to_thread(restorer.restore, config)
            except (UserError, OSError) as error:
                self._board.failed("restore", error, Reason.CONFIGURATION, restorer.OPTION)
                await asyncio.sleep(RESTORE_SECONDS)
            else:
                self._board.solved("restore")
                if found is not None:
                    self._log.info("restored", node=found.node, ca=found.fingerprint, made=found.made)
                return

    async def _phases(self) -> None:
        """Until credentials and data are there, as far as this boot has such phases."""
        while True:
            boot = self._board.facts.boot
            if boot is not None:
                found = {phase.name: phase.state for phase in boot.phases}
                if all(found.get(name, PhaseState.DONE) is PhaseState.DONE for name in WANTED_PHASES):
                    return
            await self._board.changed()

    async def _mounts(self, node: Identity) -> None:
        """Services may only start when their writable places are there."""
        while True:
            try:
                await self._supervisor.mounts(node.directory)
            except OSError as error:
                hint = str(getattr(error, "hint", "")) or "it is tried again"
                self._board.problem("mounts", Reason.DATA_DISK, "", str(error), hint)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._board.solved("mounts")
                return

    async def _open(self, node: Identity, gossip: object, keeper: Keeper, timekeeper: Timekeeper) -> Cluster:
        """The node's keys can be read as soon as its data directory can; a damaged one is named until it is mended."""

        def remember(gossip: dict[str, Any]) -> None:
            keeper.keep(gossip=gossip)

        while True:
            try:
                orders = NodeOrders(self._supervisor, self._answer)
                self._cluster = Cluster(self._board, node, orders, timekeeper, gossip, remember)
            except (UserError, OSError) as error:
                self._board.failed("keys", error, Reason.CERTIFICATE)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._board.solved("keys")
                return self._cluster

    def _network_changed(self, view: View) -> None:
        self._board.learn(network=view)
        self._board.work.set()

    def _network_trouble(self, what: str) -> None:
        if what:
            self._board.problem("network", Reason.INTERFACE, "", what, "it is tried again")
        else:
            self._board.solved("network")

    async def _reconcile(self, node: Identity, cluster: Cluster, group: asyncio.TaskGroup) -> None:
        """Make the plan again whenever something changed that it depends on, at each deadline, after each failure."""
        board = self._board
        control_plane = ControlPlane(board, self._supervisor, cluster.mint, cluster.operators)
        group.create_task(cluster.run())
        if node.runs_kubernetes and node.config.role.has_control_plane:
            group.create_task(backups.Scheduler(board, backups.source(node)).run())
        while True:
            board.work.clear()
            try:
                self._settle(node, cluster, control_plane, group)
                board.solved("plan")
            except UserError as error:
                board.failed("plan", error, Reason.CERTIFICATE)
            except OSError as error:
                board.failed("plan", error, Reason.PHASE, "agent")
            trouble = board.facts.problems.keys() - {image_pulls.PROBLEM}  # the plan can do nothing about those
            pause = RETRY_SECONDS if trouble else cluster.pause(_wall())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await board.work.wait()

    def _settle(self, node: Identity, cluster: Cluster, control_plane: ControlPlane, group: asyncio.TaskGroup) -> None:
        assert self._board.facts.network is not None, "waited for"
        network = desired.recall(node, self._board.facts.network, files.read(RESOLV_CONF))
        plan = desired.base(node, network)
        self._write(plan)  # before what can fail: a name and resolvers are wanted in any case
        parameters = None
        master = cluster.settle(network, _wall())
        if master is not None:
            parameters = desired.kube_parameters(node, network, master, images_digest(), memory_bytes())
        if parameters is not None:
            whole = kube_plan(parameters)
            is_started = ETCD not in whole.services or files.read(paths.service_file(ETCD)) is not None
            if not is_started and kube.remove_unborn(parameters.etcd_data):
                self._log.warning("etcd was cut off while it made its data: it begins anew")
            control_plane.start(parameters, whole.services, group)
            plan = plan + control_plane.permitted(whole, master=parameters.master)
            self._write(plan)
        if parameters is not None or not node.runs_kubernetes:
            self._board.planned(plan.services)

    def _write(self, plan: KubePlan) -> None:
        changed = writer.write(plan)
        if changed:
            self._log.info("written", files=len(changed), services=len(plan.services))

    # --- what is remembered

    def _keep_clock(self, saved: Save) -> None:
        if self._keeper is not None:
            self._keeper.keep(clock=saved.clock, handshake=saved.handshake)

    def _save_all(self) -> None:
        if self._keeper is not None and self._clock is not None:
            self._keep_clock(self._clock.saved())
            self._keeper.write()


def main() -> int:
    """Run the agent until PID 1 ends it."""
    _protect()
    return asyncio.run(_until_ended(Agent(Supervisor(), image())))


def _protect() -> None:
    """No core dump and no reading of this process's memory by others: it holds keys."""
    import resource

    import prctl

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl.set_dumpable(0)
    prctl.set_name("hepto-agent")


async def _until_ended(agent: Agent) -> int:
    """SIGTERM ends it with 0, SIGHUP renews all certificates; a defect anywhere ends it with a traceback."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(agent.run())
    loop.add_signal_handler(signal.SIGHUP, agent.renew)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)

    def defect(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        task.cancel("a defect in a callback")

    loop.set_exception_handler(defect)
    try:
        await task
    except asyncio.CancelledError as error:
        return 1 if error.args else 0
    return 1


def _wall() -> datetime:
    return datetime.now(UTC)


def _course_before() -> course.Course | None:
    with contextlib.suppress(OSError, ValueError):
        return course.load(json.loads(files.read(paths.COURSE) or b""))
    return None


def _keep_course(found: course.Course) -> None:
    with contextlib.suppress(OSError):  # no room in /run: the boot's chart is the least that is missing then
        durable.write(paths.COURSE, json.dumps(course.plain(found)).encode(), sync=False)


def _boot_file() -> bytes | None:
    return files.read(paths.BOOT)
