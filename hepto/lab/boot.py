"""Waiting for a lab's nodes, with the reason why a node is not Ready yet."""

import contextlib
import fcntl
import hashlib
import json
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hepto.errors import UserError
from hepto.lab import channel
from hepto.lab.client import LabClient
from hepto.lab.plan import FILES
from hepto.lab.readiness import PREPARING, Look, Pending, Verdict, look, pending, verdict
from hepto.lab.spec import DISK_FILE, ISO_FILE, MEDIA, UKI_FILE

POLL = 0.5
"""Seconds between two looks at a node."""
CHECKSUMS = "SHA256SUMS"
BUILT_AS = {DISK_FILE: "disk", UKI_FILE: "uki", ISO_FILE: "iso"}
PROGRAM = "/usr/bin/hepto"
ANSWER_LIMIT = 30.0
"""Seconds that an emulated node may need for one answer of its agent while it starts everything else."""

T = TypeVar("T")


class Shows(Protocol):
    """The part of hepto.cli.progress.Progress that is used here."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Around a piece of work."""
        ...

    def detail(self, text: str) -> None:
        """What happens right now."""
        ...

    def note(self, text: str) -> None:
        """A line that stays."""
        ...


@contextlib.contextmanager
def turn(cache: Path, accelerator: str, progress: Shows) -> Iterator[None]:
    """Emulated nodes boot one after the other: two at once on two processors took ten times as long as one alone."""
    if accelerator != "tcg":
        yield
        return
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "boot.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.detail("another emulated node is booting; this one waits for its turn")
            select.select([], [], [], POLL)
        yield


def check_image(image: Path, needed: Sequence[str] = FILES) -> Path:
    """The image's absolute path. Raises UserError if it is not whole: something is missing, or is not what was built.

    All checksums are compared, which takes half a second for 160 MB.
    """
    sums = _checksums(image)
    missing = [name for name in needed if not (image / name).is_file()]
    if missing or not sums:
        lacks = [name for name in missing if name in FILES]
        how = "" if lacks or not missing else f" --format {BUILT_AS[missing[0]]}"
        raise UserError(
            f"{image} holds no image ({', '.join(missing) or CHECKSUMS} missing)",
            f"run `hepto build{how}` first, or name another by --image",
        )
    for name in needed:
        with (image / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sums.get(name):
                raise UserError(
                    f"{image / name} is not what was built: it differs from {CHECKSUMS}",
                    "run `hepto build` again, or name another by --image",
                )
    return image.absolute()


def build_of(image: Path) -> str:
    """Which build of an image a directory holds: two that differ in any file differ here. "" if it holds none."""
    sums = _checksums(image)
    return hashlib.sha256(repr(sorted(sums.items())).encode()).hexdigest() if sums else ""


def _checksums(image: Path) -> dict[str, str]:
    """Name -> SHA-256, as `sha256sum` writes them; {} where there are none."""
    try:
        lines = (image / CHECKSUMS).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}


def kubectl_argv(cluster: str, node: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """kubectl on the node, as its administrator."""
    kubeconfig = f"/var/lib/hepto/{cluster}/{node}/kubeconfig"
    return ("/usr/bin/kubectl", "--kubeconfig", kubeconfig, *arguments)


def what_next(lab: str, nodes: Sequence[dict[str, Any]]) -> str:
    """What a user may want to do with a lab whose nodes (of the snapshot) are Ready."""
    name = "" if lab == "default" else f" --name {lab}"
    if nodes[0].get("format") in MEDIA:
        return f"The installation medium is up. What you can do now:\n  hepto lab exec{name} -- hepto install"
    last = nodes[-1]["name"]
    first: tuple[str, ...]
    if nodes[0]["kubernetes"]:
        first = (f"  hepto lab kubectl{name} -- get pods -A -o wide", f"  hepto lab demo{name}")
    else:
        first = (f"  hepto lab exec{name} {last} -- hepto gossip",)
    whose = "" if len(nodes) == 1 else f" {last}"
    return "\n".join(
        (
            "The node is Ready. What you can do now:"
            if len(nodes) == 1
            else f"All {len(nodes)} nodes are Ready. What you can do now:",
            *first,
            f"  hepto lab console{name}{whose}",
            *(() if len(nodes) == 1 else (f"  hepto lab fault link{name} {last} down",)),
            f"  hepto lab down{name}",
        )
    )


def wait_ready(connection: LabClient, progress: Shows, limit: float) -> None:
    """Wait until every node is Ready, showing what each waits for. Raises UserError with the first reason."""
    started = time.monotonic()
    nodes = connection.snapshot()["nodes"]
    waiting = {node["name"]: Waiting(connection, node, started + limit) for node in nodes}
    names = ", ".join(waiting)
    with progress.step(f"Boot {names}"):
        details: dict[str, str] = {}
        while waiting:
            for name, node in tuple(waiting.items()):
                if node.look():
                    del waiting[name]
                    if len(nodes) > 1:
                        progress.note(f"{name} is Ready after {time.monotonic() - started:.0f} s")
                details[name] = node.detail
                progress.detail(_details({other: details.get(other, "") for other in waiting}, len(nodes)))
            if waiting:
                select.select([], [], [], POLL)


def _details(details: Mapping[str, str], number: int) -> str:
    if number == 1:
        return "".join(details.values())
    return "; ".join(f"{name}: {detail}" for name, detail in details.items() if detail)


def wait_node(connection: LabClient, node: str, deadline: float, progress: Shows) -> None:
    """Wait until a node says that it is ready. Raises UserError."""
    waiting = Waiting(connection, connection.node_state(node), deadline)
    while not waiting.look():
        progress.detail(waiting.detail)
        select.select([], [], [], POLL)


class Waiting:
    """For one node (of the snapshot) to become Ready until `deadline` (monotonic); it takes one look at a time."""

    detail = ""
    """What was seen at the last look."""

    def __init__(self, connection: LabClient, node: dict[str, Any], deadline: float) -> None:
        self._connection = connection
        self._node = str(node["name"])
        self._kubernetes = bool(node["kubernetes"])
        self._deadline = deadline
        self._asked = time.monotonic()
        self._opened = False
        """The lab's channel was served once."""
        self._said = ""
        """By the agent, the last time."""

    def look(self) -> bool:
        """True if it is Ready, or an installation medium. Raises UserError if waiting does not help, or is too long."""
        over = time.monotonic() >= self._deadline
        if not self._opened and not self._open(over):
            return False
        seen = see(self._connection, self._node, kubernetes=self._kubernetes)
        if seen.medium:
            return True
        self.detail = self._said if self._said and (seen.settled or seen.detail == PREPARING) else seen.detail
        if time.monotonic() - self._asked < seen.patience and not over:
            return False
        said, self._asked = ask(self._connection, self._node), time.monotonic()
        self._said = "" if said is None else said.line
        if said is not None and said.ready:
            return True
        if said is not None and (said.hopeless or over):
            hint = said.hint or f"hepto lab exec {self._node} -- hepto status  shows more"
            raise UserError(f"{self._node} is not Ready: {said.line}", hint)
        if over:
            raise UserError(f"{self._node} is not Ready: {seen.detail}", self._hint())
        return False

    def _open(self, over: bool) -> bool:
        """True once the node serves its channel."""
        state = self._connection.node_state(self._node)
        if state["channel"]:
            self._opened, self._asked = True, time.monotonic()
            return True
        self.detail = "kernel and PID 1 start"
        if not state["on"]:
            raise UserError(f"{self._node} is off: {state['reason']}", self._hint())
        if over:
            raise UserError(f"{self._node} does not serve its lab channel", self._hint())
        return False

    def _hint(self) -> str:
        return f"hepto lab console {self._node}  shows how far it came"


def see(connection: LabClient, node: str, *, kubernetes: bool) -> Look:
    """One look at what PID 1 says."""
    try:
        number = connection.send("guest", node=node, request={"verb": "status"})
        data = b"".join(channel.unpack(frame) for frame in connection.answers(number, 10) if "stream" in frame)
        return look(json.loads(data), kubernetes=kubernetes)
    except (TimeoutError, ValueError):
        return Look("it does not answer")
    except UserError as error:  # it has begun anew, or is off
        return Look(error.what)


def ask(connection: LabClient, node: str) -> Verdict | None:
    """What the agent says; None if it says nothing (yet)."""
    return _asked(connection, node, verdict)


def _asked(connection: LabClient, node: str, read: Callable[[dict[str, Any]], T]) -> T | None:
    try:
        done = connection.run(node, PROGRAM, "status", "--json", timeout=ANSWER_LIMIT)
        return read(json.loads(done.stdout))
    except (TimeoutError, ValueError, UserError):
        return None


@dataclass(frozen=True)
class Report:
    """What a node says of itself."""

    says: str
    """In one line."""
    ready: bool = False
    not_up: tuple[Pending, ...] = ()
    phases: tuple[dict[str, Any], ...] = ()
    """Of its boot, as `hepto status --json` has them."""


def report(connection: LabClient, node: dict[str, Any]) -> Report:
    """Ask one node (of the snapshot)."""
    if not node["on"]:
        return Report("off")
    if not node["channel"]:
        return Report("does not serve its lab channel (yet)")
    said = _asked(connection, node["name"], _report)
    return said or Report(see(connection, node["name"], kubernetes=node["kubernetes"]).detail)


def _report(answer: dict[str, Any]) -> Report:
    said = verdict(answer)
    return Report(said.line, said.ready, pending(answer), tuple(answer["phases"]))
