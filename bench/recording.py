"""A node that lives while all that is written to its disk is logged, and what it had told, to whom, by when.

Whatever is heard of a node is noted with the length that the log has at that moment: the disk's answers that it rests
on are in that part of the log. So a power cut after it may not undo it (bench/survival.py).
"""

import json
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import etcd_data, survival
from bench.survival import Told
from bench.writelog import WriteLog
from hepto.errors import UserError
from hepto.lab import channel
from hepto.lab.client import LabClient
from hepto.node.identity import STATE
from init.contract import paths

PLACE: Final = f"{paths.DATA}/{survival.NUMBERS}"
LOOK_SECONDS: Final = 0.2
LOOK_LIMIT: Final = 60.0
WRITE_LIMIT: Final = 900.0

DIGESTS: Final = """
import hashlib, json, os, sys
found = {}
for name in sys.argv[2:]:
    if os.path.isfile(f"{sys.argv[1]}/{name}"):
        with open(f"{sys.argv[1]}/{name}", "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
print(json.dumps(found))
"""

# Counts as fast as it can, and says each number when it is written. `durable` writes as a node does, `naive` as most
# programs do. Now and then the agent is told to issue all certificates anew.
WRITE: Final = """
import base64, http.client, json, os, signal, ssl, sys, time
place, copies, kind, seconds, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5]
prefix = sys.argv[6]
sys.path.insert(0, "/usr/lib/hepto/pid1")
from init.contract import durable

durable.make_directory(place)
path = f"{place}/{kind}"
etcd = None
if prefix:
    trust = ssl.create_default_context(cafile=f"{directory}/pki/etcd-ca.crt")
    trust.load_cert_chain(f"{directory}/pki/apiserver-etcd-client.pem")
    etcd = http.client.HTTPSConnection("::1", 2379, context=trust)

def count(number):
    data = b"%d\\n" % number * copies
    if kind == "durable":
        durable.write(path, data)
        return
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)

def put(number):
    key = base64.b64encode(b"%s%09d" % (prefix.encode(), number)).decode()
    etcd.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": key}))
    answer = etcd.getresponse()
    if answer.read() and answer.status == 200:
        print("etcd", number, flush=True)
    else:
        sys.exit(f"etcd answers {answer.status}")

with open("/run/hepto/status/agent.json") as file:
    agent = json.load(file)["pid"]
end = time.monotonic() + seconds
number = 0
while time.monotonic() < end:
    number += 1
    count(number)
    print(kind, number, flush=True)
    if etcd:
        put(number)
    if number % 25 == 0 and kind == "durable":
        os.kill(agent, signal.SIGHUP)
"""


@dataclass(frozen=True)
class Heard:
    """A counter has come to `number`, or (with `files`) this is what is in files that never change."""

    length: int
    """Of the log, when it was heard."""
    name: str = ""
    number: int = 0
    files: dict[str, str] = field(default_factory=dict)


@dataclass
class Recording:
    """`log` is the file, `size` that of the disk in bytes, `directory` the node's below the disk's root."""

    log: Path
    size: int
    directory: str
    heard: list[Heard] = field(default_factory=list)

    @property
    def known(self) -> dict[str, str]:
        """Digests of what is made once, as they were at the end."""
        return next((one.files for one in reversed(self.heard) if one.files), {})

    def note(self, name: str = "", number: int = 0, files: dict[str, str] | None = None) -> None:
        """It is heard now."""
        self.heard.append(Heard(self.log.stat().st_size, name, number, files or {}))

    def told(self, log: WriteLog) -> Iterator[tuple[int, Told]]:
        """What had been told from which position of the log on, ascending; the first says nothing."""
        files: dict[str, str] = {}
        numbers: dict[str, int] = {}
        yield 0, Told()
        for one in self.heard:
            files = {**files, **one.files}
            numbers = {**numbers, one.name: one.number} if one.name else numbers
            yield log.entries_within(one.length), Told(files, numbers)


class Node:
    """The node whose disk is recorded, over its lab's channel."""

    def __init__(self, connection: LabClient, name: str, recording: Recording) -> None:
        self._connection = connection
        self._name = name
        self._recording = recording

    def wait_for_cluster(self, limit: float) -> None:
        """Until the node says that it has an authority. Raises UserError."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            try:
                done = self._connection.run(self._name, "/usr/bin/hepto", "status", "--json", timeout=LOOK_LIMIT)
                if done.stdout and json.loads(done.stdout)["authority"]:
                    return
            except (UserError, TimeoutError, ValueError):
                pass  # it does not answer yet
            select.select([], [], [], LOOK_SECONDS)
        raise UserError(f"{self._name} has made no cluster within {limit:.0f} s", "see its console")

    def look(self) -> None:
        """Note what is made once."""
        directory = f"{paths.DATA}/{self._recording.directory}"
        argv = ("/usr/bin/python3", "-I", "-c", DIGESTS, directory, *sorted(survival.ONCE))
        done = self._connection.run(self._name, *argv, timeout=LOOK_LIMIT)
        self._recording.note(files=json.loads(done.stdout))

    def count(self, kind: str, seconds: float, *, etcd: bool = False) -> int:
        """Let it count for so long, `durable` or `naive`; how far it has come. Raises UserError."""
        directory = f"{paths.DATA}/{self._recording.directory}"
        given = (PLACE, str(survival.COPIES), kind, str(seconds), directory, etcd_data.PREFIX if etcd else "")
        number = self._connection.request(
            self._name, ("/usr/bin/python3", "-I", "-c", WRITE, *given), timeout=WRITE_LIMIT
        )
        rest, errors, last = b"", b"", 0
        for frame in self._connection.answers(number, WRITE_LIMIT):
            if frame.get("stream") == "stdout":
                *lines, rest = (rest + channel.unpack(frame)).split(b"\n")
                for line in lines:
                    name, _, text = line.decode().partition(" ")
                    self._recording.note(name, int(text))
                    last = int(text)
            elif frame.get("stream") == "stderr":
                errors += channel.unpack(frame)
            elif frame.get("exit"):
                said = errors.decode(errors="replace").strip().splitlines() or ["nothing"]
                raise UserError(f"counting ended with status {frame['exit']}: {said[-1]}", "see the node's console")
        return last

    def end(self) -> None:
        """Cut the power. What was written before is flushed, for QEMU counts the log's entries at flushes only."""
        self._connection.run(self._name, "/usr/bin/python3", "-I", "-c", "import os; os.sync()", timeout=LOOK_LIMIT)
        self._connection.power(self._name, "off")
        self._connection.wait_for(self._name, lambda seen: not seen["on"], LOOK_LIMIT)


def of_node(directory: str) -> tuple[str, ...]:
    """What is looked at of the disk: paths in it."""
    parts = ("identity", "pki", STATE, "etcd")
    return tuple(f"/{directory}/{part}" for part in parts)
