"""The agent beside a PID 1 that is a fake: from the configuration to files, service files and the console's line."""

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hepto.edge.pump import pause
from hepto.kube import etcd_log
from hepto.mesh.driver import MeshDriver
from hepto.mesh.plan import Mesh
from hepto.node.agent import Agent
from hepto.node.machine_facts import Image
from hepto.node.supervisor import Supervisor
from init.contract import paths
from init.contract.control import Verb
from tests.fakes.supervisor import FakeSupervisor
from tests.kernel.net.test_underlay import ADVERTISEMENT
from tests.kernel.net.world import helper, isolated, namespace, until

IMAGE = Image("1", 1_700_000_000.0)
DATA = Path("/var/lib/hepto/demo/one")


def machine(line: str, key: str = "00" * 16) -> None:
    """What PID 1 leaves behind: command line, credentials, directories."""
    Path("/run/cmdline").write_text(line)
    subprocess.run(["mount", "--bind", "/run/cmdline", "/proc/cmdline"], check=True)
    credentials = Path(paths.CREDENTIALS) / "smbios"
    credentials.mkdir(parents=True)
    if key:
        (credentials / "hepto.key").write_text(key)
    for directory in (paths.SERVICES, paths.STATUS):
        Path(directory).mkdir(parents=True)
    MeshDriver.apply = _no_wireguard  # type: ignore[method-assign] # not in every kernel: the VM tier has it


def _no_wireguard(self: MeshDriver, wanted: Mesh) -> None:
    del self, wanted


async def phases(fake: FakeSupervisor) -> None:
    for name in ("credentials", "data"):
        await fake.say("phase", name, {"name": name, "state": "done", "since": 1.0, "seconds": 0.1, "error": ""})


def run(story: Callable[[FakeSupervisor], Awaitable[None]], image: Image = IMAGE) -> None:
    """One life of an agent beside a story."""

    async def both() -> None:
        Path(paths.INIT_SOCKET).unlink(missing_ok=True)
        async with FakeSupervisor(paths.INIT_SOCKET) as fake:
            await phases(fake)
            task = asyncio.create_task(Agent(Supervisor(), image).run())
            told = asyncio.create_task(_story(story, fake))
            done, _ = await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
            assert told in done, f"the agent ended: {task.exception() if task in done else 'no'}"
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await told

    asyncio.run(both())


async def _story(story: Callable[[FakeSupervisor], Awaitable[None]], fake: FakeSupervisor) -> None:
    await story(fake)


def answer() -> dict[str, Any]:
    """What `hepto status --json` is made of."""
    with socket.socket(socket.AF_UNIX) as line:
        line.setblocking(True)
        line.connect(paths.AGENT_SOCKET)
        data = b""
        while part := line.recv(1 << 16):
            data += part
    found: dict[str, Any] = json.loads(data)
    return found


def written() -> dict[str, int]:
    """All files that the agent keeps, with the time of their last change."""
    return {
        str(path): path.stat().st_mtime_ns
        for root in (paths.SERVICES, paths.ETC, paths.KUBE, str(DATA))
        for path in Path(root).rglob("*")
        if path.is_file() and path.name != "state.json"
    }


def services() -> set[str]:
    return {path.stem for path in Path(paths.SERVICES).glob("*.json")}


@isolated
def test_from_the_command_line_to_service_files_and_again_without_a_change() -> None:
    machine("quiet hepto.cluster=demo hepto.name=one hepto.iface=u0")
    namespace("router", "u0", "eth0", "fe80::1/64")

    async def first(fake: FakeSupervisor) -> None:
        await fake.asked(Verb.MOUNTS, directory=str(DATA))
        await until(lambda: {"etcd", "kubelet"} <= services(), "service files, without a router")
        await fake.asked(Verb.NOTE)
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await until(lambda: "chrony" in services(), "the clock, with a network")
        found = await asyncio.to_thread(answer)
        assert (found["node"], found["cluster"], found["role"], found["clock"]) == ("one", "demo", "full", "plausible")
        assert found["network"]["interface"] == "u0"
        assert found["line"].startswith("waiting for service chrony")
        expected = f"search lab.internal\n# NAT64 64:ff9b::/96\nnameserver {found['address']}\nnameserver fe80::1%u0\n"
        assert Path(paths.ETC, "resolv.conf").read_text().startswith(expected)
        assert socket.gethostname() == "one"

    run(first)
    before = written()
    assert DATA.stat().st_mode & 0o777 == 0o700
    secret = [path for path in before if path.startswith(str(DATA)) and path.endswith((".pem", "kubeconfig"))]
    assert len(secret) > 10
    assert all(os.stat(path).st_mode & 0o77 == 0 for path in secret)

    async def second(fake: FakeSupervisor) -> None:
        await fake.asked(Verb.MOUNTS, directory=str(DATA))
        await fake.asked(Verb.NOTE)
        while not any(wait["subject"] == "etcd" for wait in (await asyncio.to_thread(answer))["waits"]):
            await pause(0.05)

    run(second)
    assert written() == before, "a restarted agent changes nothing, least of all without a router's answer"


@isolated
def test_what_etcd_had_only_begun_to_make_is_made_anew_unless_it_may_be_running() -> None:
    machine("hepto.cluster=demo hepto.name=one hepto.iface=u0")
    unborn = Path(__file__).parent.parent.parent / "vectors/etcd-unborn.wal"

    def cut_off() -> Path:
        log = DATA / "etcd/member/wal" / etcd_log.FIRST
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(unborn.read_bytes().ljust(1 << 20, b"\0"))
        return log

    log = cut_off()

    async def first(fake: FakeSupervisor) -> None:
        await until(lambda: "etcd" in services(), "service files")
        assert not log.exists()

    async def second(fake: FakeSupervisor) -> None:
        cut_off()
        await fake.asked(Verb.MOUNTS, directory=str(DATA))
        await fake.asked(Verb.NOTE)
        while not any(wait["subject"] == "etcd" for wait in (await asyncio.to_thread(answer))["waits"]):
            await pause(0.05)  # the plan is made
        assert log.exists()

    run(first)
    run(second)


@isolated
def test_a_bad_configuration_starts_nothing_and_says_all_mistakes() -> None:
    machine("hepto.cluster=demo hepto.rol=full hepto.gw=fe80::zz", key="")

    async def story(fake: FakeSupervisor) -> None:
        await fake.asked(Verb.NOTE, text="waiting for configuration: nothing is started")
        await until(lambda: len(fake.requests) >= 4, "every mistake is said")
        text = " ".join(request.arguments["text"] for request in fake.requests)
        assert "hepto.role" in text
        assert "hepto.gw" in text
        assert "hepto.key" in text
        assert services() == set()
        assert not any(request.verb is Verb.MOUNTS for request in fake.requests)
        found = await asyncio.to_thread(answer)
        assert len(found["mistakes"]) == 3
        assert not list(Path("/var/lib/hepto").iterdir())

    run(story)


@isolated
def test_an_implausible_clock_makes_no_cluster_and_is_named() -> None:
    machine("hepto.cluster=demo hepto.name=one hepto.iface=u0")

    async def story(fake: FakeSupervisor) -> None:
        while True:
            note = await fake.asked(Verb.NOTE)
            if "clock" in note.arguments["text"]:
                break
            fake.requests.remove(note)
        assert services() == set()
        assert not (DATA / "pki/ca.crt").exists()

    run(story, Image())  # it does not know when it was built


@isolated
def test_refused_mounts_start_nothing_and_are_tried_again() -> None:
    machine("hepto.cluster=demo hepto.name=one hepto.iface=u0")

    async def story(fake: FakeSupervisor) -> None:
        fake.refuse[Verb.MOUNTS] = "the disk is read-only"
        while "read-only" not in (note := await fake.asked(Verb.NOTE)).arguments["text"]:
            fake.requests.remove(note)
        assert services() == set()
        del fake.refuse[Verb.MOUNTS]
        await until(lambda: "etcd" in services(), "service files after all")

    run(story)


@isolated
def test_without_kubernetes_everything_else_runs() -> None:
    machine("hepto.cluster=demo hepto.name=one hepto.iface=u0 hepto.debug=no-kube")
    namespace("router", "u0", "eth0", "fe80::1/64")

    async def story(fake: FakeSupervisor) -> None:
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await until(lambda: "chrony" in services(), "the clock's service")
        assert services() == {"chrony"}
        assert not Path(paths.KUBE).exists()

    run(story)
