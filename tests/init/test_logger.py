"""The logger on FIFOs of a made-up PID 1: finds them, moves them, survives being killed, and never stops a service."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from init import logger, logread
from init.logring import Ring, dropped
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
