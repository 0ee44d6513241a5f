"""Keeps other nodes from a master's apiserver until it serves.

All kubelets, kube-proxies and DNS servers of a cluster come back in the moment in which its apiserver listens again.
One on a small machine then spends its processor on their handshakes, does not finish its own start within the minute
that it gives itself, and ends: for ever. A reset costs nothing, and they come back ever more slowly. What runs on the
master itself, which the apiserver needs for its start, is let in.
"""

from hepto.edge.pump import pause
from hepto.firewall.driver import Firewall
from hepto.kube.apiserver import NAME
from hepto.log import Log
from hepto.node.board import Board
from init.contract.status import ServiceStatus, State

AGAIN = 1.0


class Gate:
    """Whether the apiserver is closed, from what PID 1 says of it. Pure."""

    def __init__(self) -> None:
        self._served = 0
        """The start that was ready once."""

    def closed(self, server: ServiceStatus | None) -> bool:
        """True from a process's start until it is ready for the first time: one that is busy later stays open."""
        if server is None or server.pid is None:
            return False
        if server.state is State.READY:
            self._served = server.starts
        return server.starts != self._served


async def watch(board: Board, firewall: Firewall) -> None:
    """Until cancelled."""
    gate, log = Gate(), Log("firewall")
    while True:
        try:
            await firewall.close_api_server(gate.closed((board.facts.services or {}).get(NAME)))
        except OSError as error:
            log.warning("the apiserver's gate cannot be moved", error=str(error))
            await pause(AGAIN)
        else:
            await board.changed()
