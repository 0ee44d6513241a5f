"""A whole lab with a machine that is no QEMU: real namespaces, processes, sockets and files.

The claim that matters most is that nothing is left, whichever process is killed and when.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.lab import channel, client, spec, state
from hepto.lab.client import LabClient
from tests.lab.labs import LIMIT, ROOT, host_on_the_bridge, lab, until

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


def processes_of(home: Path) -> dict[int, str]:
    """All processes of labs below `home`, by what they were called with, are children of, or share a network with."""
    found = {}
    spaces = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(home) in words and int(directory.name) != os.getpid():
                found[int(directory.name)] = words
                if "hepto.lab.holder" in words and "unshare" not in words:
                    spaces.add((directory / "ns/net").readlink())
        except OSError:
            continue
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "ns/net").readlink() in spaces:
                found.setdefault(int(directory.name), (directory / "comm").read_text())
        except OSError:
            continue
    return found


def pid_of(home: Path, module: str) -> int:
    """The process of one lab that runs `module` itself."""
    return next(
        pid for pid, words in processes_of(home).items() if f"-m {module}" in words and not words.startswith("unshare")
    )


def nothing_is_left(home: Path, members: set[int]) -> bool:
    """No process that was of the lab runs, and so, they being the only ones in it, no namespace is left;

    and no file.
    """
    return not any(Path(f"/proc/{pid}").exists() for pid in members) and list(home.iterdir()) == []


def network_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def in_namespace(space: str) -> list[int]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if str((directory / "ns/net").readlink()) == space:
                found.append(int(directory.name))
        except OSError:
            continue
    return found


def test_down_leaves_no_process_no_namespace_no_mount_and_no_file(made: LabClient, home: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    members = processes_of(home)
    space = network_of(pid_of(home, "hepto.lab.holder"))

    made.down()

    assert len(members) >= 4
    until(lambda: nothing_is_left(home, set(members)), "everything gone after down")
    assert in_namespace(space) == []
    assert Path("/proc/self/mounts").read_text() == mounts


@pytest.mark.parametrize("victim", ["hepto.lab.holder", "hepto.lab.keeper"])
def test_kill_9_leaves_nothing(made: LabClient, home: Path, victim: str) -> None:
    members = set(processes_of(home))
    space = network_of(pid_of(home, "hepto.lab.holder"))

    os.kill(pid_of(home, victim), signal.SIGKILL)

    until(lambda: not state.alive(state.place("test")), "the lock is free")
    until(lambda: not in_namespace(space), "the namespace is empty")
    if victim == "hepto.lab.keeper":  # nobody is left to remove files: the next command does
        assert state.sweep() == ("test",)
    until(lambda: nothing_is_left(home, members), "everything gone")


def test_a_command_that_is_killed_half_way_leaves_nothing(home: Path) -> None:
    half = (
        "import sys; from tests.lab.labs import lab; from hepto.lab import client, state;"
        "leash = client.make(lab(), state.place('test')); print('made', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", half], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"made\n"
        members = set(processes_of(home)) - {command.pid}
        command.kill()

    assert members
    until(lambda: nothing_is_left(home, members), "everything gone after the command")


def test_a_lab_that_is_there_is_not_made_again(made: LabClient) -> None:
    with pytest.raises(UserError, match="already there"):
        client.make(lab(), state.place("test"))

    assert made.node_state("one")["boots"] == 1


def test_a_machine_that_does_not_start_is_off_and_says_why(home: Path) -> None:
    where = state.place("test")
    broken = spec.Emulator(("/bin/sh", "-c", "echo no such machine; exit 3"))
    client.make(spec.Lab("test", "/image", broken, (spec.Node("one", disk=0),)), where).keep()
    with LabClient(where) as connection:
        node = connection.wait_for("one", lambda seen: not seen["on"], LIMIT)
        connection.down()

    assert node["reason"] == "QEMU ended with status 3: no such machine"


def test_a_command_on_a_node_gives_output_errors_and_its_code(made: LabClient) -> None:
    done = made.run("one", "a", "b", "c", stdin=b"input")

    assert (done.status, done.stdout, done.stderr) == (3, b"a b c", b"input")


def test_what_a_node_refuses_is_an_error_of_the_user(made: LabClient) -> None:
    with pytest.raises(UserError, match="no such verb: read"):
        made.read("one", "/etc/hostname")


def test_a_node_that_is_not_there_is_named_with_those_that_are(made: LabClient) -> None:
    with pytest.raises(UserError) as caught:
        made.run("two", "true")

    assert caught.value.lines() == ("lab test has no node 'two'", "its nodes: one")


def test_requests_of_several_commands_do_not_mix(made: LabClient) -> None:
    results: dict[int, bytes] = {}

    def ask(number: int) -> None:
        with LabClient(made.where) as connection:
            for _ in range(20):
                results[number] = connection.run("one", str(number)).stdout
                assert results[number] == str(number).encode()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)

    assert results == {number: str(number).encode() for number in range(5)}


def test_a_reset_ends_what_was_asked_and_the_node_comes_back(made: LabClient) -> None:
    number = made.request("one", ("hang",))
    made.power("one", "reset")

    with pytest.raises(UserError, match="has begun anew"):
        list(made.answers(number, LIMIT))
    node = made.wait_for("one", lambda seen: seen["channel"] and seen["boots"] == 2, LIMIT)
    assert node["reason"] == "host-qmp-system-reset"
    assert made.run("one", "again").stdout == b"again"


def test_the_power_button_the_switch_and_a_broken_machine(made: LabClient) -> None:
    made.power("one", "button")
    assert made.wait_for("one", lambda seen: not seen["on"], LIMIT)["reason"] == "guest-shutdown"
    with pytest.raises(UserError, match="one is off: guest-shutdown"):
        made.run("one", "true")

    made.power("one", "on")
    made.wait_for("one", lambda seen: seen["channel"] and seen["boots"] == 2, LIMIT)
    made.power("one", "off")
    assert made.wait_for("one", lambda seen: not seen["on"], LIMIT)["reason"] == "switched off"

    made.power("one", "on")
    made.wait_for("one", lambda seen: seen["channel"], LIMIT)
    with pytest.raises(UserError):
        made.run("one", "die")
    assert "the machine broke" in made.wait_for("one", lambda seen: not seen["on"], LIMIT)["reason"]


def test_the_console_passes_both_ways(made: LabClient) -> None:
    number = made.send("console", node="one")
    made.send("type", node="one", target=number, data=channel.pack(b"hello"))

    frame = next(made.answers(number, LIMIT))
    assert channel.unpack(frame) == b"you typed hello"


def test_the_key_is_in_no_argument_and_no_environment(made: LabClient, home: Path) -> None:
    key = b"5ec4e7"
    holding = [
        path
        for pid in processes_of(home)
        for name in ("cmdline", "environ")
        if key in (path := Path(f"/proc/{pid}/{name}")).read_bytes()
    ]
    credential = made.where.node("one").credential("hepto.key")

    assert holding == []
    assert credential.read_bytes() == b"io.systemd.credential:hepto.key=5ec4e7"
    assert credential.stat().st_mode & 0o777 == 0o600
    assert made.where.directory.stat().st_mode & 0o777 == 0o700


def test_a_host_on_the_bridge_is_configured_by_the_router_and_reaches_what_is_behind(made: LabClient) -> None:
    from hepto.lab.router import advertisement

    seen = host_on_the_bridge(made)

    sent = advertisement(spec.LINKS[0].hardware_address, spec.LAB_NETWORK).encode().hex()
    assert seen["source"] == "fe80::1"
    assert seen["hop_limit"] == 255
    assert seen["message"][:4] + seen["message"][8:] == sent[:4] + sent[8:]  # but for the checksum
    assert seen["address"].startswith("2001:db8:1:")
    assert seen["outside_saw"] == seen["address"]
    assert seen["resolved"] == "2001:db8:2::2"
    assert seen["ipv4"] == []


def test_there_is_no_ipv4_address_in_the_lab(made: LabClient) -> None:
    for where in ("router", "outside"):
        assert made.run(where, "ip", "-4", "address").stdout == b""


def test_a_command_of_this_machine_runs_in_the_outer_network(made: LabClient) -> None:
    done = made.run("outside", "ip", "-6", "-o", "address", "show", "dev", "outside0")

    assert b"2001:db8:2::2/64" in done.stdout


def test_a_command_that_this_machine_does_not_have_is_an_error_of_the_user(made: LabClient) -> None:
    with pytest.raises(UserError, match="No such file"):
        made.run("router", "/nonexistent/program")


def test_namespaces_that_cannot_be_made_are_the_reason_that_is_given(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path_factory.mktemp("bin")
    refusing = programs / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    with pytest.raises(UserError, match="unshare failed: Operation not permitted") as caught:
        client.make(lab(), state.place("test"))
    assert "as root" in caught.value.hint
    until(lambda: list(home.iterdir()) == [], "no file is left")
