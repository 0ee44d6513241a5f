"""Labs for the VM tier: made by the same code as `hepto lab up`, with what tests need on top.

Waits have limits and end as soon as the thing is there. Limits are generous, because they are only reached when
something is broken; an emulated node on a busy machine may need several times what it needs alone.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hepto.address import AddressPlan
from hepto.edge.cache import cache_directory
from hepto.errors import UserError
from hepto.lab import boot, channel, client, demo, emulator, plan, spec, state
from hepto.lab.client import Completed, LabClient
from init.contract import bootid, paths

ROOT = Path(__file__).parent.parent.parent
IMAGE = Path(os.environ.get("HEPTO_IMAGE", ROOT / "build/image"))
ARTIFACTS = ROOT / "build/artifacts"
ATTACH = os.environ.get("HEPTO_TEST_LAB", "")
READY_LIMIT = 1200.0
LIMIT = 180.0
APISERVER = "kube-apiserver"
GAVE_UP = "exited with status 255"
PING = """
for try in 1 2 3; do
  /usr/bin/ping6 -c 1 -W 3 "$@" && exit 0
done
exit 1
"""

T = TypeVar("T")


class Quiet:
    """Progress that shows nothing but remembers the last detail."""

    last = ""

    def step(self, name: str) -> contextlib.AbstractContextManager[None]:
        self.last = name
        return contextlib.nullcontext()

    def detail(self, text: str) -> None:
        self.last = text

    def note(self, text: str) -> None:
        self.last = text


class Node:
    """One node of a running lab, as tests use it."""

    def __init__(self, connection: LabClient, name: str, cluster: str, key: str = "") -> None:
        self.connection = connection
        self.name = name
        self.cluster = cluster
        self.key = key

    def run(self, *argv: str, stdin: bytes = b"", timeout: float = LIMIT) -> Completed:
        """A command on the node, whatever its status."""
        return self.connection.run(self.name, *argv, stdin=stdin, timeout=timeout)

    def sh(self, script: str, timeout: float = LIMIT) -> str:
        """A shell script on the node that must succeed; its output."""
        done = self.run("/bin/sh", "-c", script, timeout=timeout)
        assert done.status == 0, f"{script}\n{done.text}\n{done.stderr.decode(errors='replace')}"
        return done.text

    def python(self, program: str, *arguments: str, stdin: bytes = b"", timeout: float = LIMIT) -> str:
        """A Python program on the node, which finds hepto's own packages; it must succeed. Its output."""
        done = self.run("/usr/bin/python3", "-I", "-c", program, *arguments, stdin=stdin, timeout=timeout)
        assert done.status == 0, f"{program}\n{done.text}\n{done.stderr.decode(errors='replace')}"
        return done.text

    def kubectl(self, *arguments: str, stdin: bytes = b"", timeout: float = LIMIT) -> str:
        """kubectl on the node; it must succeed."""
        done = self.run(*boot.kubectl_argv(self.cluster, self.name, arguments), stdin=stdin, timeout=timeout)
        assert done.status == 0, f"kubectl {' '.join(arguments)}\n{done.stderr.decode(errors='replace')}"
        return done.text

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply Kubernetes objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl(*demo.APPLY, stdin=json.dumps(items).encode())

    def get(self, *arguments: str) -> Any:
        """kubectl get as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def status(self) -> dict[str, Any]:
        """`hepto status --json`."""
        found: dict[str, Any] = json.loads(self.run("/usr/bin/hepto", "status", "--json").stdout)
        return found

    def services(self) -> dict[str, dict[str, Any]]:
        """What PID 1 says of each service."""
        number = self.connection.send("guest", node=self.name, request={"verb": "status"})
        frames = self.connection.answers(number, LIMIT)
        data = b"".join(channel.unpack(frame) for frame in frames if "stream" in frame)
        found: dict[str, dict[str, Any]] = json.loads(data)["services"]
        return found

    def crashes(self, service: str = "") -> list[dict[str, Any]]:
        """The reports of its services' deaths, of one service or of all."""
        words = ("service", "crashes", *([service] if service else []), "--json")
        found: list[dict[str, Any]] = json.loads(self.run("/usr/bin/hepto", *words).stdout)
        return found

    def started_again(self) -> dict[str, int]:
        """How often those services were started that were not started exactly once.

        Starts after an apiserver's own giving up do not count: upstream gives its hooks half a minute and a minute once
        it listens, which a slow machine may need for more.
        """
        boot = self.sh(f"cat {bootid.PATH}").strip()
        gave_up = [one for one in self.crashes(APISERVER) if (one["boot_id"], one["cause"]) == (boot, GAVE_UP)]
        starts = {name: found["starts"] for name, found in self.services().items()}
        if APISERVER in starts:
            starts[APISERVER] -= len(gave_up)
        return {name: count for name, count in starts.items() if count != 1}

    def service_pids(self) -> dict[str, int]:
        """The processes of its services: what is restarted has another one."""
        return {name: found["pid"] for name, found in self.services().items() if found["pid"]}

    def members(self) -> dict[str, str]:
        """Names and states, as gossip knows them."""
        found = json.loads(self.run("/usr/bin/hepto", "gossip", "--json").stdout)
        return {member["name"]: member["status"] for member in found["members"]}

    def peers(self) -> dict[str, dict[str, Any]]:
        """The mesh's peers by name, as the node's status has them."""
        return {peer["name"]: peer for peer in self.status()["mesh"]["peers"]}

    def reaches(self, address: str, *options: str) -> bool:
        """True if one of three echo requests is answered; `options` are further ones of ping."""
        return self.run("/bin/sh", "-c", PING, "sh", *options, address).status == 0

    @property
    def directory(self) -> str:
        """Where it keeps all that it must not lose."""
        return f"/var/lib/hepto/{self.cluster}/{self.name}"

    def mesh_address(self) -> str:
        """Its own."""
        return str(AddressPlan(self.cluster).node(self.name))

    def console(self) -> str:
        """Everything that the serial console has said."""
        return self.connection.where.node(self.name).console.read_text(errors="replace")

    def view(self) -> dict[str, Any]:
        """The holder's view of the machine."""
        return self.connection.node_state(self.name)

    def wait_ready(self, limit: float = READY_LIMIT) -> None:
        """Until the node says that it is ready. Raises UserError with the reason."""
        boot.wait_node(self.connection, self.name, time.monotonic() + limit, Quiet())

    def wait_console(self, text: str, limit: float = LIMIT) -> None:
        """Until the console has said `text`."""
        eventually(lambda: text in self.console(), f"the console of {self.name} says {text!r}", limit, self.console)


def eventually(
    look: Callable[[], T],
    what: str,
    limit: float = LIMIT,
    explain: Callable[[], object] = lambda: "",
    pause: float = 0.2,
) -> T:
    """Look again and again until it is true; its value. Errors of a look count as not yet."""
    deadline = time.monotonic() + limit
    while True:
        error: Exception | None = None
        try:
            if found := look():
                return found
        except (UserError, AssertionError, TimeoutError, KeyError, IndexError, ValueError) as caught:
            error = caught
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}\n{error or ''}\n{explain()}"
        select.select([], [], [], pause)


def throughout(look: Callable[[], bool], what: str, seconds: float) -> None:
    """Look again and again for so long; it must be true each time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        assert look(), f"{left:.0f} s before the end it is not so: {what}"
        select.select([], [], [], 1.0)


def qemu(image: Path) -> spec.Emulator:
    """The emulator with what accelerates it here."""
    cache = cache_directory()
    return emulator.accelerate(emulator.find(cache), image / "vmlinuz", cache)


def image() -> Path:
    """The image under test."""
    try:
        return boot.check_image(IMAGE)
    except UserError as error:
        pytest.fail(f"{error.what}; {error.hint}", pytrace=False)


def live(node: Node) -> set[str]:
    """Names of those that it knows to be alive."""
    return {name for name, status in node.members().items() if status == "alive"}


def has_the_time(node: Node) -> bool:
    """Ours, within half a minute."""
    return abs(int(node.sh("date +%s")) - time.time()) < 30.0


def all_reach_all(nodes: Collection[Node]) -> bool:
    """By their mesh addresses."""
    return all(one.reaches(other.mesh_address()) for one in nodes for other in nodes if one is not other)


def reach_each_other(nodes: Collection[Node], limit: float = LIMIT) -> None:
    """All do, within the limit: `up` still holds for up to three minutes of a session that the other has forgotten."""
    eventually(lambda: all_reach_all(nodes), "they reach each other", limit)


@contextlib.contextmanager
def leaks(connection: LabClient, cluster: str) -> Iterator[dict[str, Any]]:
    """Watch the links while the block runs.

    Filled at its end: `packets` with an address of the cluster in clear, and `seen`, the number of packets by kind.
    """
    report: dict[str, Any] = {}
    prefix = str(AddressPlan(cluster).prefix)
    with LabClient(connection.where) as watching:
        number = watching.request("router", (sys.executable, "-m", "hepto.lab.capture", prefix, str(READY_LIMIT)))
        lines = _lines(watching, number)
        assert "listening" in next(lines)
        yield report
        watching_ended = time.monotonic()
        packets = []
        for line in lines:
            if "seen" not in line:
                packets.append(line)
            # What waited in the socket was said before the block ended: a summary of a second later is of all of it.
            elif not watching.readable() and time.monotonic() > watching_ended + 1.0:
                report |= {"packets": packets, "seen": line["seen"]}
                break


def _lines(connection: LabClient, number: int) -> Iterator[dict[str, Any]]:
    """The JSON lines that a command on the router prints."""
    rest = b""
    for frame in connection.answers(number, READY_LIMIT + LIMIT):
        *whole, rest = (rest + (channel.unpack(frame) if "stream" in frame else b"")).split(b"\n")
        yield from (json.loads(line) for line in whole)


@contextlib.contextmanager
def several(lab: spec.Lab, key: str, limit: float = READY_LIMIT) -> Iterator[dict[str, Node]]:
    """A lab of several nodes of which those that are switched on were all Ready; no other emulated node was booting."""
    with contextlib.ExitStack() as stack:
        with boot.turn(cache_directory(), lab.emulator.accelerator, Quiet()):
            nodes = stack.enter_context(running(lab, key))
            deadline = time.monotonic() + limit
            for node in lab.nodes:
                if node.on:
                    boot.wait_node(nodes[node.name].connection, node.name, deadline, Quiet())
        yield nodes


@contextlib.contextmanager
def ready(name: str, **wish: Any) -> Iterator[Node]:
    """A full node that was Ready, in a lab of its own; it has booted when no other emulated node was booting."""
    lab, key = planned(name, **wish)
    with contextlib.ExitStack() as stack:
        with boot.turn(cache_directory(), lab.emulator.accelerator, Quiet()):
            nodes = stack.enter_context(running(lab, key))
            nodes["one"].wait_ready()
        yield nodes["one"]


@contextlib.contextmanager
def attached(name: str) -> Iterator[Node]:
    """The first node of a lab that somebody else has made."""
    where = state.place(name)
    with LabClient(where) as connection:
        snapshot = connection.snapshot()
        first = snapshot["nodes"][0]["name"]
        credential = where.node(first).credential("hepto.key").read_text()
        node = Node(connection, first, snapshot["cluster"], credential.rpartition("=")[2])
        node.wait_ready()
        yield node


@contextlib.contextmanager
def running(lab: spec.Lab, key: str = "") -> Iterator[dict[str, Node]]:
    """A lab with its nodes switched on, ended afterwards; the logs stay in build/artifacts."""
    where = state.place(lab.name)
    leash = client.make(lab, where)
    try:
        with LabClient(where) as connection:
            try:
                yield {node.name: Node(connection, node.name, lab.cluster, key) for node in lab.nodes}
            finally:
                keep_logs(connection, lab)
    finally:
        leash.break_off()


def keep_logs(connection: LabClient, lab: spec.Lab) -> None:
    """Copy what explains a failure."""
    for node in lab.nodes:
        target = ARTIFACTS / lab.name / node.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        files = connection.where.node(node.name)
        for source in (files.console, files.errors, connection.where.log):
            with contextlib.suppress(OSError):
                shutil.copy(source, target / source.name)
        if not connection.node_state(node.name)["channel"]:
            continue
        with contextlib.suppress(UserError, TimeoutError, ValueError):
            subject = Node(connection, node.name, lab.cluster)
            (target / "services.json").write_text(json.dumps(subject.services(), indent=1))
            for service in (*subject.services(), "init", paths.KERNEL_LOG):
                request = {"verb": "logs", "service": service}
                number = connection.send("guest", node=node.name, request=request)
                with (target / f"{service}.log").open("wb") as log:
                    connection.copy(number, log, log, 30)


def planned(name: str, **wish: Any) -> tuple[spec.Lab, str]:
    """A lab with a fresh key, and the key."""
    where = image()
    key = secrets.token_hex(32)
    return plan.lab(plan.Wish(name=name, image=str(where), **wish), qemu(where), key), key
