"""The logger as a process of its own: killed, terminated, and on a file system that is full."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from init import kernellog, linux, logread
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
    arguments = [sys.executable, "-I", "-S", "-c", SCRIPT, str(host.root), "/no/kmsg", "/console"]
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


def test_the_real_device_gives_what_is_written_to_it(host: Host) -> None:
    """Where a container has none, there is no such log, and that is all."""
    number = "".join(f"{byte:02x}" for byte in os.urandom(8))
    device = kernellog.open_device()
    if device >= 0:
        Path(kernellog.DEVICE).write_text(f"<5>hepto test {number}\n")  # without an end it may yet go on
    running = host.logger(device)
    running.look()
    running.finish()

    if device >= 0:
        last = [line for line in host.log("kernel").decode().splitlines() if f"hepto test {number}" in line]
        assert len(last) == 1
        assert last[0].partition("] ")[2] == f"user space: hepto test {number}"
    else:
        assert host.log("kernel") == b""


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


def write_while_the_disk_is_bad(root: str, spoil: str, mend: str) -> None:
    """The log goes on in memory, is read as one all the time, and is on the disk again when that takes it."""
    (data := Path(root, "data")).mkdir()
    linux.mount("tmpfs", str(data), "tmpfs", data="size=16m,nr_inodes=200")
    host = Host(Path(root))
    host.name_the_node()
    host.fifo("etcd")
    running = host.logger()
    running.look()
    reader, read = logread.Reader("etcd", host.where), b""

    def say(text: bytes) -> None:
        nonlocal read
        host.write("etcd", text)
        running.turn(1)
        read += reader.read()

    say(b"good\n")
    running._rings["etcd"].close()  # no remount beside a file that is open; an error of the disk asks nobody
    subprocess.run(["sh", "-c", spoil], cwd=data, check=True)
    say(b"bad\n")
    say(b"still bad\n")
    assert host.log("etcd") == read == b"good\nbad\nstill bad\n"
    assert b"bad" not in b"".join(Path(part.data_file).read_bytes() for part in segments(f"{host.where[1]}/etcd"))
    running.try_disk()
    say(b"yet\n")
    subprocess.run(["sh", "-c", mend], cwd=data, check=True)
    running.try_disk()
    say(b"good again\n")

    running.finish()
    assert host.log("etcd") == read == b"good\nbad\nstill bad\nyet\ngood again\n"
    assert segments(f"{host.where[0]}/etcd") == []
    assert b"".join(Path(part.data_file).read_bytes() for part in segments(f"{host.where[1]}/etcd")) == read


def test_the_log_of_a_disk_that_is_read_only_for_a_while_is_whole(tmp_path: Path) -> None:
    alone(write_while_the_disk_is_bad, tmp_path, "mount -o remount,ro .", "mount -o remount,rw .")


def test_a_full_disk_stops_no_service_and_every_byte_is_accounted_for(tmp_path: Path) -> None:
    alone(write_to_a_full_disk, tmp_path)
