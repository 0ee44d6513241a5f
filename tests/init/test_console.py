"""The console: whole lines, never waiting, the status only when it says something new."""

import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from init.console import MAX_PENDING, REPEAT, Console, printable


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[tuple[Console, int]]:
    """A console that is a FIFO, and its reading end: it fills up as a terminal does."""
    path = tmp_path / "console"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    console = Console(str(path))
    yield console, reader
    console.close()
    os.close(reader)


def read(descriptor: int) -> str:
    data = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except BlockingIOError:
            break
        if not part:
            break
        data += part
    return data.decode()


def drain(console: Console, reader: int) -> str:
    text = read(reader)
    while console.pending:
        console.flush()
        text += read(reader)
    return text


def test_a_line_is_there_at_once(fifo: tuple[Console, int]) -> None:
    console, reader = fifo

    console.line("hello")

    assert read(reader) == "hello\n"
    assert not console.pending


def test_what_does_not_fit_follows_in_order_and_in_whole_lines(fifo: tuple[Console, int]) -> None:
    console, reader = fifo
    lines = [f"{number} " + "x" * 1000 for number in range(100)]
    for line in lines:
        console.line(line)

    assert console.pending
    text = drain(console, reader)

    assert text.splitlines() == lines
    assert console.dropped == 0


def test_beyond_the_limit_whole_lines_are_dropped_and_counted(fifo: tuple[Console, int]) -> None:
    console, reader = fifo
    for _ in range(1000):
        console.line("x" * 1000)

    text = drain(console, reader)

    assert console.dropped > 0
    assert len(text.splitlines()) + console.dropped == 1000
    assert set(text.splitlines()) == {"x" * 1000}
    assert len(text) <= MAX_PENDING + 65536 + 4096


def test_without_a_console_nothing_is_kept(tmp_path: Path) -> None:
    console = Console(str(tmp_path / "nowhere"))

    console.line("hello")

    assert not console.pending
    assert console.fileno() == -1


def test_a_console_that_goes_away_takes_everything(tmp_path: Path) -> None:
    path = tmp_path / "console"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    console = Console(str(path))
    console.line("one")
    os.close(reader)

    console.line("two")

    assert not console.pending


def test_it_never_becomes_the_controlling_terminal(tmp_path: Path) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    console = Console(os.ttyname(slave))
    pid = os.fork()
    if pid == 0:
        os.setsid()
        console.line("from a session leader")
        try:
            os.open("/dev/tty", os.O_RDWR)
        except OSError:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    console.close()
    text = os.read(master, 100)
    os.close(master)
    os.close(slave)

    assert status == 0
    assert text == b"from a session leader\n"


def test_the_status_is_printed_only_when_it_says_something_new(fifo: tuple[Console, int]) -> None:
    console, reader = fifo

    console.status("waiting for router, 1 s: no advertisement", 10.0)
    console.status("waiting for router, 5 s: no advertisement", 500.0)
    console.status("ready", 501.0)

    assert read(reader) == "waiting for router, 1 s: no advertisement\nready\n"
    assert console.deadline() is None


def test_a_bad_configuration_is_said_again_every_minute(fifo: tuple[Console, int]) -> None:
    console, reader = fifo
    console.status("waiting for configuration, 0 s: no key", 10.0)
    console.status("waiting for configuration, 30 s: no key", 40.0)

    assert console.deadline() == 10.0 + REPEAT
    console.repeat(10.0 + REPEAT)
    console.repeat(10.0 + REPEAT + 1)

    assert read(reader) == "waiting for configuration, 0 s: no key\n" * 2
    assert console.deadline() == 10.0 + 2 * REPEAT


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\r\nc\u2028d") == "a [31mb  c d"
