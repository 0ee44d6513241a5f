"""The lab's channel over a socket pair: several requests at once, flow control, and a host that goes away."""

import contextlib
import json
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from init import channel, channeljobs, frames
from init.channel import ROOM, Channel, find
from init.frames import Decoder, encode

TURNS = 2000


class Host:
    """The other end. `ask` sends, `until` turns the channel until a condition holds for what has been received."""

    def __init__(self) -> None:
        mine, theirs = socket.socketpair()
        for end in (mine, theirs):
            end.setblocking(False)
        self.socket = mine
        self.channel = Channel(theirs.detach())
        self.frames: list[dict[str, Any]] = []
        self._decoder = Decoder()

    def ask(self, number: int, verb: str, **arguments: object) -> None:
        self.send(encode({"id": number, "verb": verb, **arguments}))

    def send(self, data: bytes) -> None:
        """All of it; the channel has its turns meanwhile."""
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[self.socket.send(data) :]
            self.channel.turn(0)
            self.receive()

    def receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.frames += self._decoder.feed(self.socket.recv(1 << 20))

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if condition():
                return
            self.channel.turn(0.01)
            self.receive()
        raise AssertionError(f"it did not come to that: {self.frames}")

    def of(self, number: int) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame.get("id") == number]

    def ended(self, number: int) -> bool:
        return any("exit" in frame or "error" in frame for frame in self.of(number))

    def result(self, number: int) -> dict[str, Any]:
        self.until(lambda: self.ended(number))
        return {name: value for name, value in self.of(number)[-1].items() if name != "id"}

    def output(self, number: int, stream: str) -> bytes:
        return b"".join(frames.unpack(frame["data"]) for frame in self.of(number) if frame.get("stream") == stream)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.channel.close()
    host.socket.close()


def children() -> list[int]:
    """Those of this process that run."""
    pids = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    return [int(pid) for pid in pids if alive(int(pid))]


def test_the_host_is_greeted_first(host: Host) -> None:
    host.ask(1, "status")
    host.until(lambda: bool(host.frames))

    assert host.frames[0] == {"hello": 1}


def test_a_program_gets_its_input_and_gives_both_outputs_and_its_code(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "cat; echo bad >&2; exit 3"], stdin=frames.pack(b"in" * 100000))

    assert host.result(1) == {"exit": 3}
    assert host.output(1, "stdout") == b"in" * 100000
    assert host.output(1, "stderr") == b"bad\n"


def test_a_program_gets_the_end_of_input_when_there_is_none(host: Host) -> None:
    host.ask(1, "exec", argv=["cat"])

    assert host.result(1) == {"exit": 0}


def test_a_program_that_reads_nothing_is_no_trouble(host: Host) -> None:
    host.ask(1, "exec", argv=["true"], stdin=frames.pack(bytes(300000)))

    assert host.result(1) == {"exit": 0}


def test_a_program_ended_by_a_signal_has_the_code_of_a_shell(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "kill -9 $$"])

    assert host.result(1) == {"exit": 137}


def test_signals_that_python_ignores_work_in_programs(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "kill -PIPE $$; echo alive"])

    assert host.result(1) == {"exit": 141}


def test_a_program_runs_in_a_session_of_its_own(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "cut -d' ' -f6 /proc/$$/stat; echo $$"])
    host.result(1)

    session, pid = host.output(1, "stdout").split()
    assert session == pid


def test_what_a_program_leaves_behind_does_not_hold_up_the_answer(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "sleep 60 & echo $!"])

    assert host.result(1) == {"exit": 0}
    os.kill(int(host.output(1, "stdout")), 9)


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["no-such-program"], "no such program"),
        (["/nowhere/x"], "No such file or directory"),
        (["/etc"], "Permission denied"),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_and_leaves_nothing(
    host: Host, argv: list[str], error: str
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    host.ask(1, "exec", argv=argv)

    assert host.result(1) == {"error": error}
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_program_over_its_time_is_ended_with_its_children(host: Host) -> None:
    host.ask(1, "exec", argv=["sh", "-c", "sleep 60 & echo $!; wait"], timeout=0.2)

    assert host.result(1) == {"error": "ended after 0.2 s"}
    grandchild = int(host.output(1, "stdout"))
    host.until(lambda: not alive(grandchild))
    host.until(lambda: not children())


def alive(pid: int) -> bool:
    """Runs, and is not only waiting to be reaped by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_requests_do_not_wait_for_each_other(host: Host) -> None:
    host.ask(1, "exec", argv=["cat", "/dev/zero"])
    host.ask(2, "exec", argv=["sleep", "60"])
    host.ask(3, "exec", argv=["echo", "here"])

    assert host.result(3) == {"exit": 0}
    assert not host.ended(1)
    assert not host.ended(2)


def test_cancelling_ends_one_and_no_other(host: Host) -> None:
    host.ask(1, "exec", argv=["sleep", "60"])
    host.ask(2, "exec", argv=["sh", "-c", "read x; echo $x"])
    host.ask(3, "cancel", target=1)

    assert host.result(3) == {"exit": 0}
    assert host.result(1) == {"error": "cancelled"}
    assert host.result(2) == {"exit": 0}
    host.ask(4, "cancel", target=1)
    assert host.result(4) == {"exit": 1}
    host.until(lambda: not children())


def test_output_that_nobody_takes_blocks_the_program_and_not_the_memory(host: Host) -> None:
    host.ask(1, "exec", argv=["cat", "/dev/zero"])

    for _ in range(200):
        host.channel.turn(0.001)

    assert ROOM <= host.channel.waiting < ROOM + 4 * frames.PIECE
    host.receive()
    host.until(lambda: len(host.output(1, "stdout")) > ROOM * 4)


def test_a_file_is_read_in_pieces(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(200000))
    host.ask(1, "read", path=str(tmp_path / "file"))
    host.ask(2, "read", path="/proc/version")
    host.ask(3, "read", path=str(tmp_path / "nowhere"))
    host.ask(4, "read", path=str(tmp_path))

    assert host.result(1) == {"exit": 0}
    assert host.output(1, "data") == (tmp_path / "file").read_bytes()
    assert host.result(2) == {"exit": 0}
    assert host.output(2, "data") == Path("/proc/version").read_bytes()
    assert host.result(3) == {"error": "No such file or directory"}
    assert host.result(4) == {"error": "Is a directory"}


def test_reading_a_fifo_does_not_hang(host: Host, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    host.ask(1, "read", path=str(tmp_path / "fifo"))

    assert host.result(1) == {"exit": 0}


def test_the_status_is_what_is_there(host: Host) -> None:
    host.ask(1, "status")

    assert host.result(1) == {"exit": 0}
    assert set(json.loads(host.output(1, "data"))) == {"boot", "services"}


def test_the_log_of_a_service_that_has_none_is_empty_and_is_followed(host: Host) -> None:
    host.ask(1, "logs", service="no-such-service")
    host.ask(2, "logs", service="no-such-service", follow=True)

    assert host.result(1) == {"exit": 0}
    host.channel.turn(0.01)
    assert not host.ended(2)


@pytest.mark.parametrize(
    "request_",
    [
        {"verb": "exec", "argv": []},
        {"verb": "exec", "argv": "ls"},
        {"verb": "exec", "argv": ["ls", 1]},
        {"verb": "exec", "argv": ["true"], "timeout": "1"},
        {"verb": "exec", "argv": ["true"], "timeout": -1},
        {"verb": "exec", "argv": ["true"], "timeout": float("nan")},
        {"verb": "exec", "argv": ["true"], "stdin": "not base64"},
        {"verb": "exec", "argv": ["a\0b"]},
        {"verb": "read"},
        {"verb": "logs", "service": "../etc"},
        {"verb": "cancel"},
        {"verb": "dance"},
        {},
    ],
    ids=str,
)
def test_a_request_that_is_not_understood_is_an_error_and_no_more(host: Host, request_: dict[str, Any]) -> None:
    host.send(encode({"id": 1, **request_}))
    host.ask(2, "exec", argv=["true"])

    assert "error" in host.result(1)
    assert host.result(2) == {"exit": 0}


def test_a_request_without_an_id_is_answered_without_one(host: Host) -> None:
    host.send(encode({"verb": "status", "id": "x"}))
    host.until(lambda: len(host.frames) == 2)

    assert host.frames[1] == {"error": "a request needs an id, a whole number"}


def test_an_id_in_use_is_refused_and_its_job_goes_on(host: Host) -> None:
    host.ask(1, "exec", argv=["cat"], stdin=frames.pack(b"x"), timeout=60)
    host.ask(1, "status")
    host.until(lambda: len([frame for frame in host.of(1) if "error" in frame or "exit" in frame]) == 2)

    assert {"id": 1, "exit": 0} in host.frames


def test_a_host_that_goes_away_ends_what_it_asked_for(host: Host) -> None:
    host.ask(1, "exec", argv=["sleep", "60"])
    host.until(lambda: bool(children()))
    host.socket.close()

    for _ in range(TURNS):
        if not children() and not Channel.dying:
            return
        host.channel.turn(0.01)
    raise AssertionError("the program still runs")


def test_junk_from_the_host_is_told_to_whoever_opened_the_port(host: Host) -> None:
    with pytest.raises(frames.BadFrameError):
        host.send(b"\xff" * 10)


def test_the_port_is_found_by_its_name(tmp_path: Path) -> None:
    for port, name in {"vport1p1": "org.qemu", "vport2p1": "hepto.lab"}.items():
        (tmp_path / port).mkdir()
        (tmp_path / port / "name").write_text(f"{name}\n")

    assert find(ports=str(tmp_path)) == "/dev/vport2p1"
    assert find(name="other", ports=str(tmp_path)) is None
    assert find(ports=str(tmp_path / "nowhere")) is None


def test_a_program_is_looked_up_in_the_same_places_everywhere() -> None:
    assert channeljobs.program("sh").endswith("/sh")
    assert channeljobs.program("./x") == "./x"
    with pytest.raises(FileNotFoundError):
        channeljobs.program("no-such-program")


def test_an_idle_channel_does_nothing(host: Host) -> None:
    host.until(lambda: bool(host.frames))
    poll = select.poll()
    poll.register(host.socket, select.POLLIN)

    host.channel.turn(0)

    assert poll.poll(0) == []
    assert channel.GREETING == {"hello": 1}
