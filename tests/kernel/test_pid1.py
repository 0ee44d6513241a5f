"""The loop with real processes, control groups and sockets."""

import contextlib
import os
import resource
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from init.contract.control import Verb
from init.contract.service import Limits, Ready, ReadyKind, Restart, Scope, Service, Stop, Type
from tests.kernel.machine import SLEEP, Machine, shell

pytestmark = pytest.mark.kernel

NOTIFY = """
import os, socket, sys, time
def notify(text):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.connect(os.environ["NOTIFY_SOCKET"])
    sock.send(text)
"""
PYTHON = "/usr/bin/python3"
LIBC_SIGNALS = 0b11 << 31
"""32 and 33 are glibc's own: sigaction(3) refuses them, so what started the tests decides whether they are ignored."""


def test_phases_run_in_order_and_services_start_from_files(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    status = booted.until_state("one", "ready")

    done = {"first": "done", "services": "done", "second": "done", "forever": "done"}
    booted.until(lambda: booted.phases() == done, "all phases")
    assert status["pid"] > 1
    assert len(booted.members("one")) == 1
    assert status["starts"] == 1
    assert b"first: 3 b'hello\\n'" in booted.log("init")
    assert booted.boot()["data"] == "memory"


def test_a_killed_service_is_started_again_and_no_other_is_touched(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.write("two", Service(SLEEP, after=("one",)))
    before = booted.until_state("two", "ready")
    os.kill(booted.members("one")[0], signal.SIGKILL)
    again = booted.until_state("one", "ready", starts=2)

    assert (again["last_exit"]["kind"], again["last_exit"]["value"]) == ("signal", 9)
    assert booted.status("two") == before
    assert len(booted.members("one")) == 1


def test_what_a_dead_service_left_behind_is_ended_before_its_next_start(booted: Machine) -> None:
    booted.write("one", shell("sleep 1001 & exec sleep 1000"))
    booted.until(lambda: len(booted.members("one")) == 2, "both processes")
    first = booted.members("one")
    os.kill(first[0], signal.SIGKILL)
    booted.until_state("one", "ready", starts=2)
    booted.until(lambda: len(booted.members("one")) == 2, "both processes again")

    assert not set(first) & set(booted.members("one"))


def test_scope_process_leaves_others_in_the_group_alone(booted: Machine) -> None:
    booted.write("one", shell("sleep 1001 & exec sleep 1000", stop=Stop(scope=Scope.PROCESS)))
    booted.until(lambda: len(booted.members("one")) == 2, "both processes")
    main, left = booted.members("one")
    os.kill(main, signal.SIGKILL)
    booted.until_state("one", "ready", starts=2)
    booted.until(lambda: len(booted.members("one")) == 3, "the one left behind and two new ones")

    assert left in booted.members("one")


def test_a_service_that_ignores_the_stop_signal_is_killed_with_all_it_has(booted: Machine) -> None:
    booted.write("one", shell("trap '' TERM; while :; do sleep 1000; done", stop=Stop(timeout=0.2)))
    booted.until(lambda: len(booted.members("one")) == 2, "both processes")
    booted.until_state("one", "ready")  # else a status that is not written yet would be taken for one that is gone
    booted.remove("one")
    booted.until(lambda: booted.status("one") == {}, "forgotten")

    assert booted.members("one") == []
    assert not (booted.cgroups / "hepto/one").exists()


def test_a_shim_that_its_starter_has_left_gets_its_score(booted: Machine) -> None:
    """Nobody tells PID 1 of it: it looks now and then, as it does for service files."""
    shims = booted.cgroups / "hepto/shims"
    leave = f"(echo 0 > {shims}/cgroup.procs; exec sleep 1000) & :"
    booted.write("starter", shell(leave, type=Type.ONESHOT, stop=Stop(scope=Scope.PROCESS)))
    booted.until_state("starter", "ready", pid=None)
    (shim,) = booted.until(lambda: booted.members("shims"), "the shim")
    score = Path(f"/proc/{shim}/oom_score_adj")

    def spared() -> bool:
        booted.write("one", Service(SLEEP))
        return score.read_text() == "500\n"

    booted.until(spared, "its score")
    assert {Path(f"/proc/{pid}/oom_score_adj").read_text() for pid in booted.members("builtin")} != {"500\n"}


def test_a_bad_file_keeps_the_service_and_its_mistakes_are_in_the_status(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")
    booted.write("one", b'{"argv": "sleep", "colour": "red"}')
    after = booted.until(lambda: booted.status("one").get("error") and booted.status("one"), "the mistakes")

    assert after["pid"] == before["pid"]
    assert "colour: unknown field" in after["error"]
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready", error="", pid=before["pid"])


def test_a_first_file_that_is_bad_starts_nothing_and_says_why(booted: Machine) -> None:
    booted.write("one", b"{")
    status = booted.until(lambda: booted.status("one"), "a status")

    assert status["state"] == "down"
    assert "not JSON" in status["error"]


@pytest.mark.parametrize(
    ("service", "error"),
    [
        (Service(("/no/such/program",)), "/no/such/program: No such file or directory"),
        (Service(SLEEP, cwd="/no/such"), "cwd: No such file or directory"),
        (Service(SLEEP, user="nobody-knows"), "no user nobody-knows in /etc/passwd"),
        (Service(SLEEP, capabilities=("CAP_FLY",)), "no capability CAP_FLY"),
    ],
    ids=["program", "cwd", "user", "capability"],
)
def test_a_start_that_fails_is_said_and_tried_again(booted: Machine, service: Service, error: str) -> None:
    booted.write("one", service)
    status = booted.until(lambda: booted.status("one").get("starts", 0) > 1 and booted.status("one"), "two tries")

    assert status["error"] == error
    assert status["last_exit"]["kind"] == "exec"


def test_a_start_waits_for_readiness_and_a_stop_goes_the_other_way(booted: Machine) -> None:
    mark = booted.root / "mark"
    script = f"trap 'echo %s >> {booted.root}/order; exit' TERM; while :; do sleep 0.01; done"
    booted.write("two", shell(script % "two", after=("one",)))
    waiting = booted.until_state("two", "waiting")
    assert waiting["waits_for"]["what"] == "there is no such service"
    booted.write("one", shell(script % "one", ready=Ready(ReadyKind.FILE, str(mark))))
    booted.until_state("one", "up")
    assert booted.status("two")["state"] == "waiting"
    mark.touch()
    booted.until_state("two", "ready")
    booted.remove("one")
    booted.remove("two")
    booted.until(lambda: not booted.status("one"), "both gone")

    assert (booted.root / "order").read_text().split() == ["two", "one"]


def test_services_that_wait_for_each_other_say_so(booted: Machine) -> None:
    booted.write("one", Service(SLEEP, after=("two",)))
    booted.write("two", Service(SLEEP, after=("one",)))
    status = booted.until(
        lambda: "each other" in ((booted.status("two").get("waits_for") or {}).get("what") or "")
        and booted.status("two"),
        "the cycle",
    )

    assert status["waits_for"]["what"] == "they wait for each other: two after one after two"


def test_a_unix_socket_that_accepts_is_readiness(booted: Machine) -> None:
    path = booted.root / "s"
    booted.write("one", Service(SLEEP, ready=Ready(ReadyKind.UNIX, str(path))))
    booted.until_state("one", "up")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        booted.until_state("one", "ready")


def test_only_the_main_process_can_notify(booted: Machine) -> None:
    script = NOTIFY + (
        "if os.fork() == 0:\n    notify(b'READY=1')\n    os._exit(0)\nos.wait()\n"
        f"while not os.path.exists('{booted.root}/go'): time.sleep(0.01)\n"
        "notify(b'READY=1')\ntime.sleep(1000)"
    )
    booted.write("one", Service((PYTHON, "-I", "-S", "-c", script), ready=Ready(ReadyKind.NOTIFY)))
    booted.write("two", Service(SLEEP, after=("one",)))
    booted.until_state("one", "up")
    booted.write("mark", Service(SLEEP))
    booted.until_state("mark", "ready")
    assert booted.status("one")["state"] == "up"
    (booted.root / "go").touch()

    booted.until_state("one", "ready")
    booted.until_state("two", "ready")


def test_the_agent_s_word_is_readiness_and_can_be_taken_back(booted: Machine) -> None:
    booted.write("one", Service(SLEEP, ready=Ready(ReadyKind.AGENT)))
    booted.until_state("one", "up")
    assert booted.ask(Verb.READY, service="one", ready=True) == {"ok": True}
    booted.until_state("one", "ready")
    assert booted.ask(Verb.READY, service="one", ready=False) == {"ok": True}
    booted.until_state("one", "up")

    assert booted.ask(Verb.READY, service="builtin", ready=True)["ok"] is False


def test_a_oneshot_is_ready_when_it_has_ended_well(booted: Machine) -> None:
    booted.write("one", shell("exit 0", type=Type.ONESHOT, ready=Ready(ReadyKind.EXIT)))
    booted.write("two", Service(SLEEP, after=("one",)))

    assert booted.until_state("one", "ready")["pid"] is None
    booted.until_state("two", "ready")
    assert booted.status("one")["starts"] == 1


def test_a_child_gets_a_clean_process(booted: Machine) -> None:
    script = (
        "grep -E '^(SigBlk|SigIgn|Uid|Groups|CapEff|CapBnd|NSsid)' /proc/self/status; ulimit -n; umask; pwd; "
        "cat /proc/self/oom_score_adj; ls /proc/$$/fd; env | sort; echo end; exec sleep 1000"
    )
    spec = shell(
        script,
        env={"A": "b c"},
        cwd="/tmp",
        user="nobody",
        groups=("daemon",),
        capabilities=("CAP_NET_BIND_SERVICE",),
        limits=Limits(nofile=4242),
        oom_score_adj=500,
    )
    booted.write("one", spec)
    log = b""

    def complete() -> bool:
        nonlocal log
        log += booted.log("one")
        return b"end\n" in log

    booted.until_state("one", "ready")
    booted.until(complete, "the child's words")
    text = log.decode()
    words = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    assert int(words["SigBlk"], 16) == 0
    assert int(words["SigIgn"], 16) & ~LIBC_SIGNALS == 0
    assert words["Uid"].split() == ["65534"] * 4
    assert set(words["Groups"].split()) == {"1", "65534"}
    assert (words["CapEff"], words["CapBnd"]) == ("0000000000000400", "0000000000000400")
    for line in ("4242", "0022", "/tmp", "500\n0\n1\n2", "A=b c"):
        assert f"\n{line}\n" in text
    assert "LISTEN" not in text


def test_a_log_line_written_before_anybody_reads_is_there(booted: Machine) -> None:
    booted.write("one", shell("echo out; echo err >&2; exec sleep 1000"))
    booted.until_state("one", "ready")

    log = b""

    def both() -> bool:
        nonlocal log
        log += booted.log("one")
        return log == b"out\nerr\n"

    booted.until(both, "both lines")


def test_the_stream_tells_everything_then_each_change(booted: Machine) -> None:
    booted.until_state("builtin", "ready")  # its phase may come after the control socket
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    with contextlib.closing(booted.client()) as client:
        first = [client.ask(Verb.STATUS)]
        while first[-1]["kind"] != "complete":
            first.append(client.receive())
        names = {(packet["kind"], packet["name"]) for packet in first[:-1]}
        assert {("phase", "first"), ("service", "builtin"), ("service", "one")} <= names
        booted.remove("one")
        changes = [client.receive()]
        while changes[-1]["status"] is not None:
            changes.append(client.receive())

    assert "stopping" in [packet["status"]["state"] for packet in changes[:-1] if packet["name"] == "one"]
    assert changes[-1] == {"kind": "service", "name": "one", "status": None}


def test_bad_packets_are_answered_and_change_nothing(booted: Machine) -> None:
    booted.until_state("builtin", "ready")  # its phase may come after the control socket
    with contextlib.closing(booted.client()) as client:
        for packet in (b"x", b"[]", b'{"verb": "fly"}', b'{"verb": "stop"}', b'{"verb": "stop", "service": 1}'):
            client.send(packet)
            answer = client.receive()
            assert answer["ok"] is False
            assert answer["error"]
        answer = client.ask(Verb.STOP, service="nobody")
        assert answer["error"] == "no service nobody"
        assert "builtin" in answer["hint"]
        client.send(b"x" * 66000)
        assert client.receive()["ok"] is False


def test_stop_start_and_restart_by_the_operator(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    first = booted.until_state("one", "ready")["pid"]
    booted.ask(Verb.RESTART, service="one")
    second = booted.until_state("one", "ready", starts=2)["pid"]
    assert first != second
    booted.ask(Verb.STOP, service="one")
    booted.until_state("one", "down")
    booted.write("one", Service(SLEEP, oom_score_adj=1))
    booted.write("two", Service(SLEEP))
    booted.until_state("two", "ready")
    assert booted.status("one")["state"] == "down"
    booted.ask(Verb.START, service="one")

    booted.until_state("one", "ready", starts=3)


def test_a_client_that_does_not_read_is_dropped_and_others_are_served(booted: Machine) -> None:
    booted.write("one", shell("exit 1", restart=Restart(step=0.001, cap=0.001)))

    def more_starts(times: int) -> bool:
        return bool(booted.status("one").get("starts", 0) > times)

    with contextlib.closing(booted.client()) as client:
        client.ask(Verb.STATUS)
        for times in (100, 200, 300, 400):  # each with its own patience: a busy machine starts few in a second
            booted.until(partial(more_starts, times), "many changes")

        assert booted.ask(Verb.NOTE, text="waiting for router") == {"ok": True}
    assert "waiting for router" in booted.console()


def test_running_out_of_descriptors_is_survived(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    booted.until(lambda: set(booted.phases().values()) == {"done"}, "all phases")
    used = {int(name) for name in os.listdir(f"/proc/{booted.init_pid}/fd")}
    free = next(number for number in range(1000) if number not in used)
    _soft, hard = resource.prlimit(booted.init_pid, resource.RLIMIT_NOFILE)
    resource.prlimit(booted.init_pid, resource.RLIMIT_NOFILE, (free + 1, hard))
    served = booted.client()  # takes the last number
    assert served.ask(Verb.NOTE, text="one") == {"ok": True}
    for _ in range(3):
        with contextlib.closing(booted.client()) as refused:
            assert refused.closed_by_peer()
    resource.prlimit(booted.init_pid, resource.RLIMIT_NOFILE, (hard, hard))

    assert served.ask(Verb.NOTE, text="two") == {"ok": True}
    assert booted.ask(Verb.NOTE, text="three") == {"ok": True}
    served.close()


def test_mounts_are_made_by_a_child_that_may_fail(booted: Machine) -> None:
    assert booted.ask(Verb.MOUNTS, directory="/data/one") == {"ok": True}
    assert (booted.root / "bound").read_text() == "/data/one"
    answer = booted.ask(Verb.MOUNTS, directory="/bad")

    assert answer["ok"] is False
    assert "no such place" in answer["error"]
