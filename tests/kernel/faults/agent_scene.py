"""The production agent as a service of PID 1, with all that it starts; and each of its calls made to raise.

A defect may end the agent. What has to hold: PID 1 starts it again, it comes to where it was, and of all others no
process is touched.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from init.contract import paths
from init.contract.service import Restart, Service
from tests.kernel.faults import agent_machine, agent_program, injector, logger_program
from tests.kernel.faults.campaign import FAILED, NOT_REACHED, SURVIVED, Outcome
from tests.kernel.faults.scene import PYTHON
from tests.kernel.faults.sites import Site, error
from tests.kernel.machine import Machine, machine
from tests.kernel.net.test_underlay import ADVERTISEMENT

AGENT = "agent"
START = "start of the agent"
OTHERS = ("etcd", "containerd", "kubelet", "kube-apiserver", "router", "logger", "builtin")
"""Services that have a process as soon as the agent has planned them."""
LATE_SECONDS = 2.0
"""How long a call may still be reached when the agent is back: what it does now and then."""
ANSWER_SECONDS = 10.0


class AgentScene:
    """A node that has come as far as it can without a real Kubernetes."""

    def __init__(self, booted: Machine):
        self.machine = booted
        self._init_pid = 0
        self._processes: dict[str, int] = {}
        self._known: dict[str, Any] = {}

    def furnish(self) -> None:
        """Start what belongs to the node, and remember all processes and what the agent knows."""
        route = (str(shutil.which("ip")), "netns", "exec", "router", sys.executable, "-m", "tests.kernel.net.router")
        directory = str(agent_machine.REPOSITORY)
        self.machine.write("router", Service((*route, ADVERTISEMENT.hex()), cwd=directory))
        self.machine.write("logger", Service((*PYTHON, logger_program.__file__, str(self.machine.root))))
        self.machine.until(lambda: all(self.machine.members(name) for name in OTHERS), "all services")
        self.machine.until(self._knows, "the agent knows its network")
        self._init_pid = self.machine.init_pid
        self._processes = {name: self._main(name) for name in OTHERS}
        self._known = self._knows()

    def answer(self) -> dict[str, Any]:
        """The agent's status; {} while it has none."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(ANSWER_SECONDS)
                line.connect(str(self.machine.root) + paths.AGENT_SOCKET)
                data = b""
                while part := line.recv(1 << 16):
                    data += part
            found: dict[str, Any] = json.loads(data)
            return found
        except (OSError, ValueError):
            return {}

    def _knows(self) -> dict[str, Any]:
        """What it has to know again after a restart; {} as long as it does not."""
        found = self.answer()
        network = found.get("network") or {}
        if not network.get("addresses") or found.get("clock") != "plausible":
            return {}
        return {"node": found["node"], "address": found["address"], "network": network}

    def end(self, number: int = signal.SIGKILL) -> float:
        """End the agent by a signal; seconds until it is back."""
        before = self.machine.members(AGENT)
        began = time.monotonic()
        os.kill(before[0], number)
        self.machine.until(lambda: self.machine.members(AGENT) not in ([], before), "another agent")
        self.back()
        return time.monotonic() - began

    def back(self) -> None:
        """Wait until the agent knows again what it knew, and raise AssertionError if anybody else was touched."""
        self.machine.until(lambda: self._knows() == self._known, f"the agent knows {self._known} again")
        assert self.machine.init_pid == self._init_pid, "PID 1 is another process"
        for name, process in self._processes.items():
            assert self._main(name) == process, f"{name} was touched: {self.machine.status(name)}"
        self.machine.until(lambda: len(self.machine.members(AGENT)) == 1, "one agent, without a child such as nft")

    def _main(self, name: str) -> int:
        """The process that a service was started as; 0 if there is none."""
        return next(iter(self.machine.members(name)), 0)

    def deaths(self) -> int:
        """How often the agent has died."""
        found: int = self.machine.status(AGENT)["deaths"]
        return found


@contextlib.contextmanager
def agent_scene(root: Path) -> Iterator[AgentScene]:
    """A furnished node."""
    root.mkdir()
    agent = Service((sys.executable, "-I", agent_program.__file__, str(root)), restart=Restart(cap=1.0))
    (root / "agent.json").write_bytes(agent.dump())
    with machine(root, (sys.executable, agent_machine.__file__)) as booted:
        found = AgentScene(booted)
        found.furnish()
        yield found


def survey(root: Path, wanted: Iterable[Site]) -> list[Site]:
    """The sites that a start of the agent reaches."""
    by_end = {(site.path, site.end): site for site in wanted}
    with agent_scene(root) as stage:
        stage.machine.fault("record")
        stage.end()
        notes = (stage.machine.root / injector.REACHED).read_text().splitlines()
    found = {(path, (int(row), int(column))) for path, row, column in map(str.split, notes)}
    return [site for end, site in by_end.items() if end in found]


def campaign(directory: Path, sites: Iterable[Site], turn: int = 0) -> Iterator[Outcome]:
    """Every site of these made to raise while the agent starts."""
    left, number = list(sites), 0
    while left:
        number += 1
        with agent_scene(directory / f"a{number}") as stage:
            while left:
                outcome = _at_start(stage, left.pop(0), turn)
                yield outcome
                if outcome.failed:
                    break


def _at_start(stage: AgentScene, site: Site, turn: int) -> Outcome:
    raised, deaths, began = error(site, turn), stage.deaths(), time.monotonic()
    try:
        stage.machine.fault("site", path=site.path, end=site.end, error=raised)
        stage.end()
        until = time.monotonic() + LATE_SECONDS
        while not stage.machine.fired() and time.monotonic() < until:
            time.sleep(0.05)
        stage.back()
    except (AssertionError, OSError) as failure:
        result = FAILED if stage.machine.fired() else f"{FAILED} without a fault"
        return Outcome(site, raised, START, result, time.monotonic() - began, str(failure))
    result = SURVIVED if stage.machine.fired() else NOT_REACHED
    detail = "the agent was started again" if stage.deaths() > deaths + 1 else ""
    return Outcome(site, raised, START, result, time.monotonic() - began, detail)
