import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv6Network
from pathlib import Path

import click.testing
import pytest

from hepto.cli import status
from hepto.errors import ExitCode, UserError
from hepto.mesh.model import View
from hepto.node.facts import Backup, Clock
from hepto.node.status import answer
from hepto.node.status import status as status_of
from init.contract import boots, durable
from init.contract.status import LastExit, PhaseState, PhaseStatus, State, encode
from tests.node.facts import DONE, NETWORK, running, service


@contextmanager
def agent(path: Path, reply: bytes) -> Iterator[None]:
    """An agent's socket that answers once."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as line:
                line.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def shown(found: dict[str, object]) -> str:
    """What a person sees."""

    @click.command()
    def show() -> None:
        status._print(found)

    return click.testing.CliRunner().invoke(show, catch_exceptions=False).output


def test_the_agent_s_answer_is_taken_whole(tmp_path: Path) -> None:
    found = answer(status_of(running()), 10.0)

    with agent(tmp_path / "sock", json.dumps(found).encode()):
        assert status.ask_agent(str(tmp_path / "sock")) == found


@pytest.mark.parametrize("reply", [b"", b'{"ready": tr'])
def test_half_an_answer_is_none(tmp_path: Path, reply: bytes) -> None:
    with agent(tmp_path / "sock", reply):
        assert status.ask_agent(str(tmp_path / "sock")) is None


def test_no_agent_is_no_answer(tmp_path: Path) -> None:
    assert status.ask_agent(str(tmp_path / "sock")) is None


def test_without_the_agent_pid_1_s_files_are_read(tmp_path: Path) -> None:
    durable.write(str(tmp_path / "boot.json"), encode(DONE))
    (tmp_path / "status").mkdir()
    durable.write(str(tmp_path / "status/etcd.json"), encode(service(State.BACKOFF, pid=None, starts=7)))
    durable.write(str(tmp_path / "status/later.json"), b'{"state": "hibernating"}')

    durable.write(str(tmp_path / "before.json"), boots.encode(boots.Record("id", 1.0, 2.0)))

    found = status.read_files(*(str(tmp_path / name) for name in ("boot.json", "status", "before.json")))

    assert not found["ready"]
    assert "agent does not answer" in found["line"]
    assert list(found["services"]) == ["etcd"]
    assert found["services"]["etcd"]["starts"] == 7
    assert found["boot_before"]["end"] == boots.UNKNOWN


def test_a_machine_that_is_no_node_is_told_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        status.read_files(str(tmp_path / "boot.json"), str(tmp_path), str(tmp_path / "none"))

    assert caught.value.code is ExitCode.UNREACHABLE
    assert "hepto lab status" in caught.value.hint


def test_a_person_sees_what_is_waited_for_and_every_service() -> None:
    facts = running({"etcd": service(State.BACKOFF), "kubelet": service(State.WAITING, waits_for="etcd")})
    boot = replace(DONE, phases=(*DONE.phases, PhaseStatus("modules", PhaseState.FAILED, error="no such module")))
    lines = shown(answer(status_of(replace(facts, boot=boot, warnings=("beware",))), 130.0)).splitlines()

    assert lines[0] == "waiting for phase modules, 130 s: no such module. the console shows what came before"
    assert lines[1] == "  also waiting for service etcd, 2 min: it ended, and is started again soon. hepto logs etcd"
    assert "warning: beware" in lines
    assert any(line.split()[:2] == ["kubelet", "waiting"] and line.endswith("waits for service etcd") for line in lines)
    assert any(line.split()[:2] == ["modules", "failed"] for line in lines)
    assert any("eth0 2001:db8:1::5 mtu 1500" in line for line in lines)


def test_deaths_and_a_boot_that_nobody_shut_down_are_a_line_each() -> None:
    died = service(State.READY, deaths=3, last_death=LastExit("signal", 9, 10.0))
    once = service(State.READY, deaths=1, last_death=LastExit("exit", 1, 100.0))
    facts = running({"etcd": once, "kubelet": died, "agent": service(State.READY)})
    before = {"orderly": False, "end": "it was not shut down", "last": 0.0, "began": 1.0, "written": 2.0}
    lines = shown(answer(status_of(facts), 130.0, boot_before=before)).splitlines()

    assert lines[1:4] == [
        "the boot before: it was not shut down; it was last heard of at 1970-01-01T00:00:00Z",
        "etcd died once, last: exited with status 1, 30 s ago; hepto service crashes etcd",
        "kubelet died 3 times, last: killed by signal 9 (SIGKILL), 2 min ago; hepto service crashes kubelet",
    ]
    before["orderly"] = True
    assert "the boot before" not in shown(answer(status_of(facts), 130.0, boot_before=before))


def test_the_clock_s_word_is_explained_and_the_nat64_prefix_shown() -> None:
    facts = replace(running(), clock=Clock.PEERS, network=replace(NETWORK, nat64=IPv6Network("64:ff9b::/96")))
    lines = shown(answer(status_of(facts), 130.0)).splitlines()

    assert any(line.startswith("clock") and "peers: as the cluster has it" in line for line in lines)
    assert any(line.split() == ["NAT64", "64:ff9b::/96"] for line in lines)


@pytest.mark.parametrize("clock", [clock for clock in Clock if clock not in (Clock.UNKNOWN, Clock.SYNCHRONISED)])
def test_every_word_that_needs_it_is_explained(clock: Clock) -> None:
    assert status.CLOCKS[clock].startswith(f"{clock}: ")


def test_what_was_refused_is_one_short_line_and_is_not_there_without() -> None:
    calls = {f"reason-{number}": number for number in range(1, 8)}
    refused = {"grants": {"bad-signature": 3}, "calls": calls, "times": {}}
    found = answer(status_of(running()), 130.0, None, refused)
    lines = [line for line in shown(found).splitlines() if line.startswith("refused")]

    assert found["refused"] == {"grants": {"bad-signature": 3}, "calls": calls}
    expected = "grants: 3 bad-signature; calls: 7 reason-7, 6 reason-6, 5 reason-5, 4 reason-4, 6 others"
    assert [line.removeprefix("refused").strip() for line in lines] == [expected]
    assert "refused" not in shown(answer(status_of(running()), 130.0))


def test_a_peer_that_was_refused_is_named_even_if_there_is_no_other() -> None:
    facts = replace(running(), peers=View(refused=(("two", "key-taken"),)))

    assert "no peer; two refused: key-taken" in shown(answer(status_of(facts), 130.0))


@pytest.mark.parametrize(
    ("copies", "said"),
    [
        ({}, "no other node has the newest"),
        ({"two": ()}, "no other node has the newest"),
        ({"two": ("new",), "three": ("new", "old")}, "the newest on three, two"),
        ({"two": ("new",), "three": ("old",)}, "the newest on two; older ones on three"),
    ],
)
def test_a_master_says_where_copies_of_its_backups_are(copies: dict[str, tuple[str, ...]], said: str) -> None:
    facts = replace(running(), backup=Backup("/data/backups/new", 10, 0, True), copies=copies)

    (line,) = (line for line in shown(answer(status_of(facts), 10.0)).splitlines() if line.startswith("copies"))
    assert line.split(None, 1)[1] == said


def test_a_keeper_says_what_it_keeps_and_why_it_does_not() -> None:
    facts = replace(running(), copies_here=("old", "new"), no_copy="new has 9 bytes, and 8 of 40 are free")
    output = shown(answer(status_of(facts), 10.0))

    assert "2 of the master's backups, the newest new" in output
    assert "warning: no copy of the master's backup is kept: new has 9 bytes" in output
    assert "copies" not in shown(answer(status_of(running()), 10.0))
