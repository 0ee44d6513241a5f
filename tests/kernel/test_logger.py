"""The logger as a process of its own: killed, terminated, and on a file system that is full."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from init import linux
from init.logring import dropped, segments
from tests.fakes.loghost import Host
from tests.kernel.namespace import alone

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parent.parent.parent
SCRIPT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from init import logger; logger.main(*sys.argv[1:])"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def start(host: Host) -> int:
    arguments = [sys.executable, "-I", "-S", "-c", SCRIPT, f"{host.run}/log", f"{host.run}/log.d", f"{host.run}/node"]
    return os.posix_spawn(sys.executable, arguments, {})


def test_killed_at_any_instant_it_loses_and_doubles_nothing(host: Host) -> None:
    """The real program, killed eight times while a service writes; each kill is as soon as something has arrived."""
    host.fifo("etcd")
    written = b""
    for round_ in range(8):
        if round_ == 4:
            host.name_the_node()
        pid = start(host)
        before = len(host.log("etcd"))
        number = 0
        while len(host.log("etcd")) <= before + 2000:
            line = f"{round_} {number} {'x' * (number % 50)}\n".encode()
            try:
                host.write("etcd", line)
            except BlockingIOError:
                continue
            written += line
            number += 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    last = host.logger()
    last.look()
    last.finish()

    assert written
    assert host.log("etcd") == written


def test_sigterm_ends_it_after_it_has_taken_everything(host: Host) -> None:
    host.fifo("etcd")
    pid = start(host)
    host.write("etcd", b"first\n")
    while not host.log("etcd"):
        pass
    host.write("etcd", b"last\n")
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert host.log("etcd") == b"first\nlast\n"


def write_to_a_full_disk(root: str) -> None:
    """A file system of 600 KiB takes a log of 1 MiB: the oldest goes, the service is never stopped, all is accounted
    for."""
    linux.mount("tmpfs", root, "tmpfs", data="size=600k")
    host = Host(Path(root))
    host.fifo("etcd")
    running = host.logger()
    running.look()
    written = 0
    for number in range(256):
        part = bytes([65 + number % 26]) * 4096
        host.write("etcd", part)
        written += len(part)
        running.turn(1)
    running.finish()

    kept = host.log("etcd")
    directory = f"{host.where[0]}/etcd"
    assert 0 < len(kept) < written
    assert segments(directory)[0].start + len(kept) + dropped(directory) == written


def test_a_full_disk_stops_no_service_and_every_byte_is_accounted_for(tmp_path: Path) -> None:
    alone(write_to_a_full_disk, tmp_path)
