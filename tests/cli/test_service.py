import json
import socket
import threading
from pathlib import Path

import pytest

from hepto.cli import service
from hepto.edge import control
from hepto.errors import ExitCode, UserError
from init.contract.control import MAX_PACKET, Request, Verb, decode


def ask(path: Path, answer: bytes, request: Request) -> tuple[dict[str, object], Request]:
    """Ask a PID 1 that answers this; its answer, and what it was asked."""
    seen: list[Request] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as line:
                seen.append(decode(line.recv(MAX_PACKET)))
                if answer:
                    line.send(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return control.ask(request, str(path)), seen[0]
        finally:
            thread.join()


def test_a_request_is_one_packet_and_its_answer_another(tmp_path: Path) -> None:
    request = Request(Verb.RESTART, {"service": "etcd"})

    answer, seen = ask(tmp_path / "sock", b'{"ok": true, "x": 1}', request)

    assert answer["x"] == 1
    assert seen == request


def test_a_refusal_is_two_lines(tmp_path: Path) -> None:
    refusal = json.dumps({"ok": False, "error": "no service etc", "hint": "did you mean etcd?"}).encode()

    with pytest.raises(UserError) as caught:
        ask(tmp_path / "sock", refusal, Request(Verb.STOP, {"service": "etc"}))

    assert caught.value.lines() == ("no service etc", "did you mean etcd?")


def test_a_pid_1_that_hangs_up_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without an answer"):
        ask(tmp_path / "sock", b"", Request(Verb.REBOOT))


def test_without_pid_1_it_is_not_reachable(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        control.ask(Request(Verb.REBOOT), str(tmp_path / "none"))

    assert caught.value.code is ExitCode.UNREACHABLE


def test_every_verb_for_a_person_has_a_command_with_an_example() -> None:
    verbs = {Verb.START, Verb.STOP, Verb.RESTART, Verb.POWEROFF, Verb.REBOOT}

    assert {"list", *(verb.value for verb in verbs)} == set(service.command.commands)
    for name, command in service.command.commands.items():
        assert f"hepto service {name}" in (command.help or "")
