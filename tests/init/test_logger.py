"""The logger on FIFOs of a made-up PID 1: finds them, moves them, survives being killed, and never stops a service."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from init import crashlog, logger, logread
from init.contract import crash, durable
from init.contract.crash import Crash
from init.contract.status import LastExit
from init.logring import Ring, dropped
from tests.fakes.kmsg import Kmsg
from tests.fakes.loghost import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_fifos_of_before_and_after_its_start_are_read(host: Host) -> None:
    host.fifo("etcd")
    host.write("etcd", b"before\n")
    logger = host.logger()
    logger.look()
    logger.turn(0)
    host.fifo("kubelet")
    logger.turn(1)
    host.write("kubelet", b"hello\n")
    logger.turn(1)
    logger.finish()

    assert (host.log("etcd"), host.log("kubelet")) == (b"before\n", b"hello\n")
    assert logread.services(host.where) == ("etcd", "kubelet")


def test_what_is_no_fifo_of_a_service_is_left_alone(host: Host) -> None:
    (host.run / "log/notes").write_text("x")
    os.mkfifo(host.run / "log/NOT A NAME")
    logger = host.logger()
    logger.look()
    logger.turn(0)
    logger.finish()

    assert logread.services(host.where) == ()


def test_the_log_moves_to_the_node_when_it_is_named_and_goes_on_there(host: Host) -> None:
    host.fifo("agent")
    logger = host.logger()
    logger.look()
    host.write("agent", b"early\n")
    logger.turn(1)
    host.name_the_node()
    logger.turn(1)
    host.write("agent", b"late\n")
    logger.turn(1)
    logger.finish()

    assert host.log("agent") == b"early\nlate\n"
    assert (host.node / "log/hepto/agent").is_dir()
    assert not list((host.run / "log.d/agent").glob("*.log"))


def test_a_new_logger_takes_over_what_the_old_one_left_in_memory(host: Host) -> None:
    host.fifo("agent")
    first = host.logger()
    first.look()
    host.write("agent", b"early\n")
    first.turn(1)
    host.name_the_node()  # and the first one is killed before it looks

    second = host.logger()
    second.look()
    host.write("agent", b"late\n")
    second.turn(1)
    second.finish()
    first.finish()

    assert host.log("agent") == b"early\nlate\n"


def test_the_rest_of_a_fifo_that_goes_is_taken(host: Host) -> None:
    host.fifo("job")
    logger = host.logger()
    logger.look()
    host.write("job", b"last words\n")
    host.remove("job")
    logger.turn(1)
    logger.finish()

    assert host.log("job") == b"last words\n"


def test_at_its_end_it_takes_what_is_still_there(host: Host) -> None:
    host.fifo("etcd")
    logger = host.logger()
    logger.look()
    host.write("etcd", b"x" * 50000)

    logger.finish()

    assert host.log("etcd") == b"x" * 50000


@pytest.fixture
def kmsg() -> Iterator[Kmsg]:
    found = Kmsg()
    yield found
    found.close()


def test_the_kernel_s_messages_are_a_log_like_the_others_and_move_with_them(host: Host, kmsg: Kmsg) -> None:
    kmsg.say(0, 1_000_000, "Linux version")
    running = host.logger(kmsg.open())
    running.look()
    running.listen()
    running.turn(1)
    host.name_the_node()
    running.turn(1)
    kmsg.say(1, 2_000_000, "later")
    running.turn(1)
    running.finish()

    assert host.log("kernel") == b"[    1.000000] Linux version\n[    2.000000] later\n"
    assert (host.node / "log/hepto/kernel").is_dir()
    assert [line.boot for line in logread.lines("kernel", host.where)] == [
        pytest.approx(
            second + time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC), abs=1
        )
        for second in (1, 2)
    ]


@pytest.mark.parametrize("named_between", [False, True])
def test_a_new_logger_neither_loses_nor_doubles_what_the_kernel_said(
    host: Host, kmsg: Kmsg, named_between: bool
) -> None:
    for sequence in range(20):
        kmsg.say(sequence, sequence * 1_000_000, f"number {sequence}")
        if sequence in (5, 6, 12):
            first = host.logger(kmsg.open())
            first.look()
            first.listen()
            first.turn(1)  # and then it is killed
        if sequence == 10 and named_between:
            host.name_the_node()
    last = host.logger(kmsg.open())
    last.look()
    last.finish()

    assert host.log("kernel").decode() == "".join(f"[{number:5d}.000000] number {number}\n" for number in range(20))


def test_a_death_s_last_lines_are_in_its_report_although_they_were_in_the_fifo(host: Host) -> None:
    host.fifo("etcd")
    running = host.logger()
    running.look()
    found = Crash("etcd", 1, "boot", 1.0, LastExit("exit", 1, 1.0), 1.0)
    host.write("etcd", b"last words\n" + found.mark.encode() + b"\nnext life\n")
    durable.write(f"{host.run}/deaths/{crash.file_name(found)}", crash.encode(found), sync=False)
    running.turn(1)
    running.finish()

    ((_, report),) = crashlog.kept(f"{host.run}/crashes")
    assert report.lines == ("last words",)


def test_a_full_ring_gives_up_its_oldest_part_and_then_counts(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC from the ring's own door: a file system that is really full needs a mount (kernel tier)."""

    class Full(Ring):
        shrunk = 0

        def take(self, fifo: int, wall: int, boot: int) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def shrink(self) -> bool:
            Full.shrunk += 1
            return Full.shrunk < 3

    monkeypatch.setattr(logger, "Ring", Full)
    host.fifo("etcd")
    running = host.logger()
    running.look()
    host.write("etcd", b"12345")
    running.turn(1)
    running.finish()

    assert Full.shrunk == 3
    assert dropped(f"{host.where[0]}/etcd") == 5


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOMEM], ids=errno.errorcode.get)
def test_what_is_refused_once_loses_nothing_and_gives_nothing_up(
    host: Host, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Refusing(Ring):
        refusals = 1

        def take(self, fifo: int, wall: int, boot: int) -> int:
            if Refusing.refusals:
                Refusing.refusals -= 1
                raise OSError(number, os.strerror(number))
            return super().take(fifo, wall, boot)

    host.fifo("etcd")
    host.write("etcd", b"before\n")
    first = host.logger()
    first.look()
    first.finish()
    monkeypatch.setattr(logger, "Ring", Refusing)
    running = host.logger()
    running.look()
    host.write("etcd", b"12345")
    running.turn(1)
    running.finish()

    assert Refusing.refusals == 0
    assert host.log("etcd") == b"before\n12345"
    assert dropped(f"{host.where[0]}/etcd") == 0


def test_the_logger_is_small() -> None:
    """It runs on every node for ever: what only its child needs is imported there."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import init.logger; print(*sys.modules)"
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script, root], capture_output=True, text=True, check=True)

    assert not {"json", "dataclasses", "init.contract.status"} & set(done.stdout.split())
