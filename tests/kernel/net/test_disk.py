"""A node's agent on a data disk that is full, has no inode or cannot be written: it goes on, says why, and recovers.

The disk is a small tmpfs; what a real one does beyond that (errors, an aborted journal) is the VM tier's.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepto.node import agent, keeper
from hepto.node.state import load
from init.contract import paths
from init.contract.control import Verb
from tests.fakes.supervisor import FakeSupervisor
from tests.kernel.net import test_agent as single
from tests.kernel.net.test_underlay import ADVERTISEMENT
from tests.kernel.net.world import PATIENCE, helper, isolated, namespace, until

LINE = "hepto.cluster=demo hepto.name=one hepto.iface=u0 hepto.debug=no-kube"
FILLED = Path(paths.DATA, "filled")


def machine(options: str) -> None:
    """A node without Kubernetes whose data disk has these mount options, and which looks at it often."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", paths.DATA], check=True)
    single.machine(LINE)
    namespace("router", "u0", "eth0", "fe80::1/64")
    keeper.LOOK_SECONDS = agent.RETRY_SECONDS = 0.1
    keeper.WRITE_SECONDS = 0.5


async def status(look: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
    """Until the node's status looks so."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):  # it has begun just now
                    found = await asyncio.to_thread(single.answer)
                    if look(found):
                        return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE} s: {what}; it waits for {found.get('waits')}") from None


def of_disk(found: dict[str, Any]) -> list[str]:
    return [wait["what"] for wait in found["waits"] if wait["reason"] == "data disk"]


async def says(text: str) -> None:
    await status(lambda found: text in found["line"] and any(text in what for what in of_disk(found)), f"says {text}")


async def recovers() -> None:
    await status(lambda found: not of_disk(found), "nothing is waited for of the disk")


async def gossips() -> None:
    await status(lambda found: found["gossip"] and found["gossip"]["members"] == {"alive": 1}, "gossip runs")


def saved() -> float:
    path = single.DATA / "state.json"
    return load(path.read_bytes(), str(path)).clock or 0.0


def shell(script: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(["sh", "-c", script], check=True)

    return run


def fill() -> None:
    """All that is free, then the last bytes."""
    with FILLED.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def take_inodes() -> None:
    FILLED.mkdir()
    with contextlib.suppress(OSError):
        for number in range(1 << 20):
            (FILLED / str(number)).touch()


def life(spoil: Callable[[], None], says_so: str, mend: Callable[[], None]) -> None:
    """The disk goes bad under a running agent, then before another one starts, and is good again."""
    authority = ""

    async def first(fake: FakeSupervisor) -> None:
        nonlocal authority
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await gossips()
            authority = (await status(lambda found: found["authority"], "the cluster is made"))["authority"]
            before = saved()
            await asyncio.to_thread(spoil)
            await says(says_so)
            await until(lambda: any(says_so in text for text in told(fake)), "the console says so")
            await gossips()
            await asyncio.to_thread(mend)
            await recovers()
            await until(lambda: saved() >= before, "what could not be saved is")
            await asyncio.to_thread(spoil)

    async def second(fake: FakeSupervisor) -> None:
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await says(says_so)
            await gossips()
            await status(lambda found: found["authority"] == authority, "it is the same cluster")
            await asyncio.to_thread(mend)
            await recovers()

    single.run(first)
    single.run(second)


def told(fake: FakeSupervisor) -> list[str]:
    return [request.arguments["text"] for request in fake.requests if request.verb is Verb.NOTE]


@isolated
def test_a_full_disk_is_named_and_the_node_goes_on() -> None:
    machine("size=512k,mode=0700")
    life(fill, "the data disk is full: 0 MiB free of 512.0 KiB", FILLED.unlink)


@isolated
def test_a_disk_without_inodes_is_named_and_the_node_goes_on() -> None:
    machine("size=16m,nr_inodes=200,mode=0700")
    life(take_inodes, "no inode for another file: 0 of 200 are free", shell(f"rm -r {FILLED}"))


@isolated
def test_a_disk_that_has_become_read_only_is_named_and_the_node_goes_on() -> None:
    machine("size=16m,mode=0700")
    remount = f"mount -o remount,{{}} {paths.DATA}"
    life(shell(remount.format("ro")), "the data disk is read-only", shell(remount.format("rw")))


@isolated
def test_a_first_boot_on_a_full_disk_waits_for_room_and_then_makes_one_cluster() -> None:
    machine("size=64k,mode=0700")
    fill()

    async def story(fake: FakeSupervisor) -> None:
        with helper("tests.kernel.net.router", ADVERTISEMENT.hex(), inside="router"):
            await says("the data disk is full")
            assert not (single.DATA / "pki/ca.crt").exists()
            await asyncio.to_thread(shell(f"rm {FILLED}; mount -o remount,size=16m {paths.DATA}"))
            await recovers()
            await status(lambda found: found["authority"], "the cluster is made")
            assert not list(single.DATA.rglob(".*.tmp"))

    single.run(story)
