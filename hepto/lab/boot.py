"""Waiting for a lab's nodes, with the reason why a node is not Ready yet."""

import contextlib
import fcntl
import json
import select
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from hepto.errors import UserError
from hepto.lab import channel
from hepto.lab.client import LabClient
from hepto.lab.plan import FILES
from hepto.lab.readiness import Look, Verdict, look, verdict

POLL = 0.5
"""Seconds between two looks at a node."""
PROGRAM = "/usr/bin/hepto"
ANSWER_LIMIT = 30.0
"""Seconds that an emulated node may need for one answer of its agent while it starts everything else."""


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


def check_image(image: Path) -> Path:
    """The image's absolute path. Raises UserError if it is not whole."""
    missing = [name for name in FILES if not (image / name).is_file()]
    if missing:
        raise UserError(
            f"{image} holds no image ({', '.join(missing)} missing)",
            "run `hepto build` first, or name another by --image",
        )
    return image.absolute()


def kubectl_argv(cluster: str, node: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """kubectl on the node, as its administrator."""
    kubeconfig = f"/var/lib/hepto/{cluster}/{node}/kubeconfig"
    return ("/usr/bin/kubectl", "--kubeconfig", kubeconfig, *arguments)


def what_next(lab: str) -> str:
    """What a user may want to do with a lab that is up."""
    name = "" if lab == "default" else f" --name {lab}"
    return "\n".join(
        (
            "The node is Ready. What you can do now:",
            f"  hepto lab kubectl{name} -- get pods -A -o wide",
            f"  hepto lab demo{name}",
            f"  hepto lab console{name}",
            f"  hepto lab down{name}",
        )
    )


def wait_ready(connection: LabClient, progress: Shows, limit: float) -> None:
    """Wait until every node is Ready, showing what each waits for. Raises UserError with the reason."""
    deadline = time.monotonic() + limit
    for node in connection.snapshot()["nodes"]:
        with progress.step(f"Boot {node['name']}"):
            wait_node(connection, node["name"], deadline, progress)


def wait_node(connection: LabClient, node: str, deadline: float, progress: Shows) -> Verdict:
    """Wait until a node says that it is ready. Raises UserError."""
    _wait_channel(connection, node, deadline, progress)
    asked, said = time.monotonic(), None
    while True:
        seen = see(connection, node)
        progress.detail(seen.detail)
        now = time.monotonic()
        if now - asked >= seen.patience or now >= deadline:
            said, asked = ask(connection, node), now
        if said is not None and (said.ready or said.hopeless or now >= deadline):
            break
        if now >= deadline:
            raise UserError(f"{node} is not Ready: {seen.detail}", f"hepto lab console {node}  shows how far it came")
        select.select([], [], [], POLL)
    if said.ready:
        return said
    raise UserError(
        f"{node} is not Ready: {said.line}", said.hint or f"hepto lab exec {node} -- hepto status  shows more"
    )


def see(connection: LabClient, node: str) -> Look:
    """One look at what PID 1 says."""
    try:
        number = connection.send("guest", node=node, request={"verb": "status"})
        data = b"".join(channel.unpack(frame) for frame in connection.answers(number, 10) if "stream" in frame)
        return look(json.loads(data))
    except (TimeoutError, ValueError):
        return Look("it does not answer")
    except UserError as error:  # it has begun anew, or is off
        return Look(error.what)


def ask(connection: LabClient, node: str) -> Verdict | None:
    """What the agent says; None if it says nothing (yet)."""
    try:
        done = connection.run(node, PROGRAM, "status", "--json", timeout=ANSWER_LIMIT)
        return verdict(json.loads(done.stdout))
    except (TimeoutError, ValueError, UserError):
        return None


def one_line(connection: LabClient, node: dict[str, Any]) -> str:
    """What a node says of itself."""
    if not node["on"]:
        return "off"
    if not node["channel"]:
        return "does not serve its lab channel (yet)"
    said = ask(connection, node["name"])
    return said.line if said is not None else see(connection, node["name"]).detail


def _wait_channel(connection: LabClient, node: str, deadline: float, progress: Shows) -> None:
    progress.detail("kernel and PID 1 start")
    try:
        seen = connection.wait_for(node, lambda seen: seen["channel"] or not seen["on"], deadline - time.monotonic())
    except TimeoutError:
        what = f"{node} does not serve its lab channel"
        raise UserError(what, f"hepto lab console {node}  shows how far it came") from None
    if not seen["on"]:
        raise UserError(f"{node} is off: {seen['reason']}", f"hepto lab console {node}  shows its last words")
