import json
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hepto.cli import service
from hepto.cli.main import main
from hepto.edge import control, evidence
from hepto.errors import ExitCode, UserError
from init.contract import paths
from init.contract.control import MAX_PACKET, Request, Verb, decode
from init.contract.crash import Crash
from init.contract.status import LastExit


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

    assert {"list", "crashes", *(verb.value for verb in verbs)} == set(service.command.commands)
    for name, command in service.command.commands.items():
        assert f"hepto service {name}" in (command.help or "")


CRASH = Crash("etcd", 2, "boot", 0.0, LastExit("signal", 9, 70.0, out_of_memory=True), 12.5, lines=("no\x1b[2J space",))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is a node on which etcd has died."""
    (tmp_path / "boot.json").touch()
    monkeypatch.setattr(paths, "BOOT", str(tmp_path / "boot.json"))
    found = [replace(CRASH, memory_peak=300 << 20), replace(CRASH, service="kubelet", lines=())]
    monkeypatch.setattr(evidence, "crashes", lambda service: [one for one in found if service in ("", one.service)])


def test_crashes_are_shown_with_the_last_lines(node: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "crashes", "etcd"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "1970-01-01T00:00:00Z etcd: killed by signal 9 (SIGKILL), out of memory",
        "  death 2 of its boot, it was up 12.5 s, 300 MiB of memory at most",
        "  | no\\x1b[2J space",
    ]
    assert main(["service", "crashes"]) == ExitCode.DONE
    assert "  death 2 of its boot, it was up 12.5 s" in capsys.readouterr().out.splitlines()
    assert main(["service", "crashes", "agent"]) == ExitCode.DONE
    assert capsys.readouterr().out == "there is no crash report of agent\n"


def test_machines_get_an_array_of_crashes(node: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "crashes", "kubelet", "--json"]) == ExitCode.DONE
    (found,) = json.loads(capsys.readouterr().out)

    assert (found["cause"], found["lines"]) == ("killed by signal 9 (SIGKILL), out of memory", [])


def test_a_machine_that_is_no_node_has_no_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "BOOT", str(tmp_path / "boot.json"))

    assert main(["service", "crashes"]) == ExitCode.UNREACHABLE
    assert len(capsys.readouterr().err.splitlines()) == 2
