"""One node's agent in namespaces of its own, beside a PID 1 that is a fake.

Its arguments are LINE, the kernel command line, KEY, and what the machine's clock shows (Unix seconds), if not the
time. For each line on standard input one line comes back: `status` (the agent's answer), `services`, `wished` (the
peers that the mesh was to have), `read PATH` (text of a file), `clock`, `forget` (the agent begins anew without
state.json). End of input ends it.
"""

import asyncio
import json
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Self

from hepto.mesh.driver import MeshDriver
from hepto.mesh.model import Peer
from hepto.node import agent, api, applicant, cluster
from hepto.node.agent import Agent
from hepto.node.supervisor import Supervisor
from init.contract import paths
from tests.fakes.supervisor import FakeSupervisor
from tests.kernel.net import test_agent as single
from tests.kernel.net.world import enter

WISHED: list[dict[str, Any]] = []


def no_wireguard() -> None:
    """The kernel under the tests need not have it (`machine` takes it away): what is wished for is remembered."""

    def wish(self: MeshDriver, peers: tuple[Peer, ...], revoked: frozenset[bytes]) -> None:
        del self
        WISHED[:] = [{"name": peer.name, "key": peer.public_key.hex(), "revoked": len(revoked)} for peer in peers]

    MeshDriver.wish = wish  # type: ignore[method-assign]


class Wall(datetime):
    """Tells the time by `time.time`, which can be another one than the machine's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)


def another_clock(shown: float) -> None:
    """The agent's parts see a clock of their own, which shows this now and can be set: tests leave the host's alone."""
    true = time.time
    ahead = [shown - true()]

    def settime(_: int, to: float) -> None:
        ahead.append(to - true())

    time.time = lambda: true() + ahead[-1]
    time.clock_settime = settime
    for module in (agent, api, applicant, cluster):
        vars(module)["datetime"] = Wall


def answer(line: str) -> Any:
    verb, _, rest = line.strip().partition(" ")
    match verb:
        case "status":
            return single.answer()
        case "services":
            return sorted(single.services())
        case "clock":
            return time.time()
        case "wished":
            return WISHED
        case "read":
            return Path(rest).read_text() if Path(rest).exists() else None
        case _:
            raise AssertionError(line)


async def serve() -> None:
    """One life of the agent after the other, each beside a PID 1 of its own."""
    print(json.dumps("begun"), flush=True)
    while await live():
        for path in single.DATA.parent.glob("*/state.json"):
            path.unlink()
        print(json.dumps("begun"), flush=True)


async def live() -> bool:
    """True if it is to begin anew."""
    loop = asyncio.get_running_loop()
    Path(paths.INIT_SOCKET).unlink(missing_ok=True)
    async with FakeSupervisor(paths.INIT_SOCKET) as fake:
        await single.phases(fake)
        running = asyncio.create_task(Agent(Supervisor(), single.IMAGE).run())
        again = False
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if again := line == "forget\n":
                break
            try:
                found = await asyncio.to_thread(answer, line)
            except OSError as error:
                found = {"error": str(error)}
            print(json.dumps(found), flush=True)
            if running.done():
                running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return again


def main() -> None:
    single.machine(sys.argv[1], sys.argv[2])
    no_wireguard()
    if len(sys.argv) > 3:
        another_clock(float(sys.argv[3]))
    asyncio.run(serve())


if __name__ == "__main__":
    enter(main)
