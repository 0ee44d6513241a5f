"""Opens a copy of etcd's data with the etcd of an image, on this machine, and counts keys.

etcd itself judges: it reads the checksums of its write-ahead log and the tree of its database when it starts, and
refuses what it cannot mend.
"""

import base64
import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hepto.kube import driver as kube

PREFIX: Final = "powercut/"
LIMIT: Final = 60.0
LOOK_SECONDS: Final = 0.02


def key(number: int) -> str:
    """Of the numbered keys, in their order."""
    return f"{PREFIX}{number:09d}"


@contextlib.contextmanager
def stack(image: Path, directory: Path) -> Iterator[Path]:
    """The etcd of an image, copied out of its root. Needs root: the root is mounted."""
    place = directory / "root"
    place.mkdir()
    subprocess.run(["mount", "-t", "erofs", "-o", "loop,ro", image / "root.erofs", place], check=True)
    try:
        shutil.copy(place / "usr/lib/hepto/stack/etcd", directory / "etcd")
    finally:
        subprocess.run(["umount", place], check=True)
    yield directory / "etcd"


def judge(program: Path, data: Path, told: int) -> str:
    """What is wrong with the data in `data`, of which the keys 1 to `told` were acknowledged; empty if nothing is.

    Like a node's agent it removes first what etcd had only begun to make.
    """
    kube.remove_unborn(str(data))
    client, peer = (f"http://[::1]:{port}" for port in _free_ports())
    log = data.with_name("etcd.log")
    # fmt: off
    argv = (
        str(program), "--name", "copy", "--data-dir", str(data), "--unsafe-no-fsync",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"copy={peer}",
        "--log-level", "warn", "--log-format", "console",
    )
    # fmt: on
    environment = {"PATH": os.defpath, "HOME": str(data)}
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output, env=environment) as process:
        try:
            found = _count(process, client, told)
        finally:
            process.kill()
    if isinstance(found, str):
        lines = log.read_text(errors="replace").strip().splitlines()
        return f"etcd {found}: {lines[-1] if lines else 'it said nothing'}"
    return "" if found == told else f"etcd has {found} of {told} keys that were acknowledged"


def _count(process: "subprocess.Popen[bytes]", url: str, told: int) -> int | str:
    """How many of the keys are there; a text if etcd does not say."""
    deadline = time.monotonic() + LIMIT
    reason = "has not been asked"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"ended with status {process.returncode}"
        try:
            return _ask(url, told)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            reason = repr(error)
        select.select([], [], [], LOOK_SECONDS)
    return f"does not answer within {LIMIT:.0f} s ({reason})"


def _ask(url: str, told: int) -> int:
    body = {"key": _text(PREFIX), "range_end": _text(key(told + 1)), "count_only": True}
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5.0)
    with contextlib.closing(connection):
        connection.request("POST", "/v3/kv/range", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    if response.status != 200:
        raise ValueError(str(answer)[:200])
    return int(answer.get("count", 0))


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _free_ports() -> tuple[int, int]:
    """Two that nobody listens on now."""
    with socket.socket(socket.AF_INET6) as one, socket.socket(socket.AF_INET6) as two:
        for line in (one, two):
            line.bind(("::1", 0))
        return one.getsockname()[1], two.getsockname()[1]
