"""Why images cannot be pulled, when the network is the reason: asked now and then, said in the status."""

from hepto.edge.pump import pause
from hepto.kube import pulls
from hepto.kube.driver import Asker
from hepto.kube.health import Probe
from hepto.node.board import Board

PROBLEM = "pulls"


async def look(board: Board, asker: Asker, probe: Probe) -> None:
    """Look once. Without an answer what was known before still is: the apiserver may be busy."""
    network = board.facts.network
    found = await asker.pulls(probe, network.nat64 if network is not None else None)
    if found:
        board.problem(PROBLEM, found[0].reason, found[0].subject, found[0].what, found[0].hint)
    elif found is not None:
        board.solved(PROBLEM)


async def watch(board: Board, probe: Probe) -> None:
    """Look while kubelet is ready, until cancelled."""
    asker = Asker()
    while True:
        await board.service_ready("kubelet")
        await look(board, asker, probe)
        await pause(pulls.INTERVAL)
