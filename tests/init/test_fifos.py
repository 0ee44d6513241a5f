"""The log FIFOs, real ones in a temporary directory."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from init.fifos import FULL, OWN, SIZE, Fifos
from init.linux import bytes_in


@pytest.fixture
def fifos(tmp_path: Path) -> Iterator[Fifos]:
    found = Fifos(str(tmp_path))
    yield found
    for descriptor in found.descriptors().values():
        os.close(descriptor)


def fill(path: str) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    written = 0
    try:
        while True:
            written += os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        return written
    finally:
        os.close(descriptor)


def test_what_is_written_stays_when_neither_writer_nor_reader_is_there(fifos: Fifos) -> None:
    path = fifos.ensure("etcd")
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b"a line\n")
    os.close(writer)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    assert os.read(reader, 100) == b"a line\n"
    os.close(reader)


def test_a_fifo_full_for_its_time_is_emptied_counted_and_says_so(fifos: Fifos) -> None:
    path = fifos.ensure("etcd")
    written = fill(path)
    fifos.tick(0.0)
    fifos.tick(FULL - 0.1)
    assert fifos.dropped == {}
    fifos.tick(FULL)

    assert fifos.dropped == {"etcd": written}
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert f"{written} bytes of log were dropped" in os.read(reader, 4096).decode()
    os.close(reader)


def test_a_fifo_that_was_read_in_between_is_left_alone(fifos: Fifos) -> None:
    path = fifos.ensure("etcd")
    fill(path)
    fifos.tick(0.0)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.read(reader, 65536)
    fifos.tick(3.0)
    fill(path)
    fifos.tick(4.0)
    fifos.tick(FULL + 1)
    os.close(reader)

    assert fifos.dropped == {}


def test_own_lines_never_wait_and_what_does_not_fit_is_counted(fifos: Fifos) -> None:
    fifos.write("before there is one")
    fifos.ensure(OWN)
    fifos.write("hello")
    assert bytes_in(fifos.own()) == 6
    fill(fifos.path(OWN))
    fifos.write("lost")

    assert fifos.dropped == {OWN: 5}


def test_a_retired_fifo_goes_when_its_rest_is_read(fifos: Fifos) -> None:
    path = fifos.ensure("etcd")
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b"last words")
    os.close(writer)
    fifos.retire("etcd")
    fifos.tick(0.0)
    assert os.path.exists(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.read(reader, 100)
    fifos.tick(1.0)
    os.close(reader)

    assert not os.path.exists(path)
    assert "etcd" not in fifos.descriptors()


def test_a_fifo_that_somebody_removed_is_made_again(fifos: Fifos) -> None:
    path = fifos.ensure("etcd")
    os.unlink(path)
    fifos.ensure("etcd")

    assert os.path.exists(path)


def test_something_else_in_its_place_is_replaced(fifos: Fifos, tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("a file")
    fifos.ensure("etcd")

    assert fill(fifos.path("etcd")) in (SIZE, 65536)
