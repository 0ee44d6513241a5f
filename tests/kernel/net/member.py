"""One node's agent in namespaces of its own, beside a PID 1 that is a fake.

Its arguments are LINE, the kernel command line, and KEY. For each line on standard input one line comes back: `status`
(the agent's answer), `services`, `wished` (the peers that the mesh was to have), `read PATH` (text of a file). End of
input ends it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from hepto.mesh.driver import MeshDriver
from hepto.mesh.model import Peer
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
        WISHED[:] = [{"name": peer.name, "revoked": len(revoked)} for peer in peers]

    MeshDriver.wish = wish  # type: ignore[method-assign]


def answer(line: str) -> Any:
    verb, _, rest = line.strip().partition(" ")
    match verb:
        case "status":
            return single.answer()
        case "services":
            return sorted(single.services())
        case "wished":
            return WISHED
        case "read":
            return Path(rest).read_text() if Path(rest).exists() else None
        case _:
            raise AssertionError(line)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    Path(paths.INIT_SOCKET).unlink(missing_ok=True)
    async with FakeSupervisor(paths.INIT_SOCKET) as fake:
        await single.phases(fake)
        agent = asyncio.create_task(Agent(Supervisor(), single.IMAGE).run())
        print(json.dumps("begun"), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                found = await asyncio.to_thread(answer, line)
            except OSError as error:
                found = {"error": str(error)}
            print(json.dumps(found), flush=True)
            if agent.done():
                agent.result()
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)


def main() -> None:
    single.machine(sys.argv[1], sys.argv[2])
    no_wireguard()
    asyncio.run(serve())


if __name__ == "__main__":
    enter(main)
