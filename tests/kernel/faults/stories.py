"""What happens on the machine while a fault waits for its call to be reached: each story ends where it has begun.

The order is that of their cost: a call that several reach is made to raise in the first of them. A story does what a
user would: what was refused or cut off by the fault is asked for again.
"""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from init.contract.control import Verb
from init.contract.service import Limits, Ready, ReadyKind, Scope, Service, Stop, Type, When
from tests.kernel.faults.scene import AT_ONCE, PYTHON, Scene
from tests.kernel.machine import SLEEP, shell

Story = Callable[[Scene], None]

NOTIFY = """
import os, socket, sys, time
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.connect(os.environ["NOTIFY_SOCKET"])
reader, writer = os.pipe()
socket.send_fds(sock, [b"STATUS=begun\\nRELOADING=1"], [reader])
sock.send(b"READY=1")
time.sleep(1000)
"""


def death(scene: Scene) -> None:
    """A service is killed."""
    before = scene.one("mortal")
    os.kill(before, signal.SIGKILL)
    scene.another("mortal", before)


def talk(scene: Scene) -> None:
    """Orders of all kinds, refused ones and packets that are none."""
    scene.order(Verb.NOTE, text=f"waiting for configuration {scene.count}")
    scene.order(Verb.READY, service="asked", ready=False)
    scene.order(Verb.READY, service="asked", ready=True)
    scene.order(Verb.MOUNTS, directory="/data")
    scene.say(b'{"verb": "mounts", "directory": "/bad"}')
    for packet in (b"x", b'{"verb": "stop"}', b'{"verb": "stop", "service": 1}', b"x" * 66000):
        scene.say(packet)
    for order in (b'{"verb": "stop", "service": "no"}', b'{"verb": "ready", "service": "steady", "ready": true}'):
        scene.say(order)


def stream(scene: Scene) -> None:
    """Somebody listens to the changes, and goes away."""
    client = scene.machine.client()
    try:
        client.ask(Verb.STATUS)
        scene.machine.write("mortal", replace(scene.last, oom_score_adj=scene.count % 1000))
        scene.order(Verb.NOTE, text=f"stream {scene.count}")
    except (OSError, ValueError):
        pass  # dropped by the fault: whoever listens asks again
    finally:
        client.close()


def changed(scene: Scene) -> None:
    """A service's file changes: first what applies at once, then what needs a new process."""
    before = scene.one("mortal")
    limited = replace(scene.last, limits=Limits(pids_max=100 + scene.count % 100))
    scene.machine.write("mortal", limited)
    scene.order(Verb.NOTE, text=f"changed {scene.count}")
    scene.last = replace(scene.last, restart_key=str(scene.count))
    scene.machine.write("mortal", scene.last)
    scene.another("mortal", before)


def orders(scene: Scene) -> None:
    """The operator stops, starts and restarts a service."""
    scene.order(Verb.STOP, service="mortal")
    scene.machine.until_state("mortal", "down")
    scene.order(Verb.START, service="mortal")
    before = scene.one("mortal")
    scene.order(Verb.RESTART, service="mortal")
    scene.another("mortal", before)


def bad_file(scene: Scene) -> None:
    """Files that are none: in place of a good one, and new."""
    before = scene.one("mortal")
    bad = f'{{"argv": "sleep", "restart": 1, "limits": {{"nofile": 0}}, "colour": {scene.count}}}'.encode()
    scene.machine.write("mortal", bad)
    scene.machine.write("new", b"{")
    scene.machine.write("init", Service(SLEEP))
    scene.until(lambda: scene.machine.status("mortal").get("error"), "the mistakes are named")
    scene.until(lambda: scene.machine.status("new").get("error"), "the mistakes of the new one too")
    assert scene.one("mortal") == before, "a bad file has touched the service"
    scene.machine.write("mortal", scene.last)
    scene.until(lambda: not scene.machine.status("mortal").get("error"), "the mistakes are forgotten")
    scene.gone("new", "init")


def removed(scene: Scene) -> None:
    """A service's file is removed, and comes again."""
    scene.gone("mortal")
    scene.machine.write("mortal", scene.last)
    scene.one("mortal")


def readiness(scene: Scene) -> None:
    """Services that wait for each other by all kinds of readiness, and are stopped in the reverse order."""
    names = ("file", "unix", "notify", "once", "last")
    mark, path = scene.root / f"mark{scene.count}", scene.root / f"s{scene.count}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        scene.machine.write("last", Service(SLEEP, after=names[:-1]))
        scene.machine.write("file", Service(SLEEP, ready=Ready(ReadyKind.FILE, str(mark))))
        scene.machine.write("unix", Service(SLEEP, ready=Ready(ReadyKind.UNIX, str(path), timeout=0.01)))
        scene.machine.write("notify", Service((*PYTHON, "-c", NOTIFY), ready=Ready(ReadyKind.NOTIFY)))
        scene.machine.write("once", shell("exit 0", type=Type.ONESHOT, ready=Ready(ReadyKind.EXIT)))
        scene.until(lambda: scene.machine.members("unix"), "a process of unix")
        mark.touch()
        server.bind(str(path))
        server.listen()
        for name in names:
            scene.machine.until_state(name, "ready")
    scene.gone(*names)


def who(scene: Scene) -> None:
    """A service with another user, groups, capabilities and limits."""
    spec = shell(
        "exec sleep 1000",
        env={"A": "b"},
        cwd="/tmp",
        user="nobody",
        groups=("daemon",),
        capabilities=("CAP_NET_BIND_SERVICE",),
        limits=Limits(nofile=4242, cpu_weight=50),
        oom_score_adj=500,
        restart=AT_ONCE,
    )
    scene.machine.write("who", spec)
    scene.one("who")
    scene.gone("who")


def no_start(scene: Scene) -> None:
    """Services that cannot be started for several reasons, and one that waits for itself."""
    bad = {
        "program": Service(("/no/such/program",)),
        "user": Service(SLEEP, user="nobody-knows"),
        "group": Service(SLEEP, groups=("nobody-knows",)),
        "capability": Service(SLEEP, capabilities=("CAP_FLY",)),
        "circle": Service(SLEEP, after=("circle",)),
        "nothing": Service(SLEEP, after=("nobody-knows",)),
    }
    for name, service in bad.items():
        scene.machine.write(name, service)
    for name in bad:
        scene.until(partial(_says_why, scene, name), f"{name} says why")
    scene.gone(*bad)


def stubborn(scene: Scene) -> None:
    """Services that ignore the stop signal, leave processes behind, end by themselves, or fail for good."""
    ignoring = "trap '' TERM; sleep 1001 & while :; do sleep 1000; done"
    scene.machine.write("group", shell(ignoring, stop=Stop(timeout=0.05), restart=AT_ONCE))
    scene.machine.write("alone", shell("exec sleep 1000", stop=Stop("SIGINT", 0.05, Scope.PROCESS)))
    scene.machine.write("ended", shell("exit 0", restart=replace(AT_ONCE, when=When.NEVER)))
    scene.machine.write("failed", shell("exit 1", restart=replace(AT_ONCE, when=When.NEVER)))
    scene.machine.until_state("ended", "down", starts=1)
    scene.machine.until_state("failed", "failed")
    scene.until(lambda: len(scene.machine.members("group")) == 3, "all processes of group")
    before = scene.machine.members("group")
    os.kill(before[0], signal.SIGKILL)
    scene.until(lambda: len(set(scene.machine.members("group")) - set(before)) == 3, "all processes of group again")
    scene.gone("group", "alone", "ended", "failed")


def shim(scene: Scene) -> None:
    """A process in the group of containerd's shims, whose starter ends."""
    leave = f"(echo 0 > {scene.machine.cgroups}/hepto/shims/cgroup.procs; exec sleep 1000) & :"
    scene.machine.write("starter", shell(leave, type=Type.ONESHOT, stop=Stop(scope=Scope.PROCESS)))
    scene.machine.until_state("starter", "ready", pid=None)
    (pid,) = scene.until(lambda: scene.machine.members("shims"), "the shim")

    def spared() -> bool:
        scene.machine.write("mortal", replace(scene.last, oom_score_adj=scene.count % 1000))
        scene.count += 1
        return Path(f"/proc/{pid}/oom_score_adj").read_text() == "500\n"

    scene.until(spared, "its score")
    os.kill(pid, signal.SIGKILL)
    scene.until(lambda: not scene.machine.members("shims"), "it is gone")
    scene.gone("starter")


def orphans(scene: Scene) -> None:
    """More processes without a parent than are reaped at once."""
    script = "i=0; while [ $i -lt 300 ]; do (true &) ; i=$((i+1)); done"
    scene.machine.write("orphans", shell(script, type=Type.ONESHOT, ready=Ready(ReadyKind.EXIT)))
    scene.machine.until_state("orphans", "ready", pid=None)
    scene.gone("orphans")


def crowd(scene: Scene) -> None:
    """More clients than are served, and one that does not read."""
    clients = [scene.client() for _ in range(70)]
    try:
        clients[0].send(b'{"verb": "status"}')
        scene.machine.write("noisy", shell("exit 1", restart=AT_ONCE))
        scene.until(lambda: scene.machine.status("noisy").get("starts", 0) > 20, "many changes")
    finally:
        for client in clients:
            client.close()
    scene.gone("noisy")


def logger(scene: Scene) -> None:
    """The logger is killed, and another one told to end."""
    before = scene.one("logger")
    os.kill(before, signal.SIGKILL)
    scene.another("logger", before)
    before = scene.one("logger")
    scene.order(Verb.RESTART, service="logger")
    scene.another("logger", before)


def full_log(scene: Scene) -> None:
    """Nobody reads the logs, and a service writes more than a FIFO holds."""
    scene.order(Verb.STOP, service="logger")
    scene.machine.until_state("logger", "down")
    script = "head -c 2000000 /dev/zero; exec sleep 1000"
    scene.machine.write("flood", shell(script))
    scene.until(lambda: _sleeps(scene.machine.members("flood")), "all is written, so some was dropped")
    scene.order(Verb.START, service="logger")
    scene.one("logger")
    scene.gone("flood")


def re_exec(scene: Scene) -> None:
    """PID 1 executes itself."""

    def image() -> bytes:
        """Other addresses after each exec (proc_pid_auxv(5)): what PID 1 says of it may be what fails."""
        return Path(f"/proc/{scene.machine.init_pid}/auxv").read_bytes()

    before = image()
    scene.order(Verb.RE_EXEC)
    scene.until(lambda: image() != before, "the exec")


def hang_up(scene: Scene) -> None:
    """A signal that has all files read anew."""
    scene.machine.signal(signal.SIGHUP)
    scene.order(Verb.NOTE, text=f"hang up {scene.count}")


def nothing_succeeds(scene: Scene) -> None:
    """The loop fails again and again, a service dies meanwhile: the minimal loop starts it again."""

    def rescues() -> int:
        said = scene.machine.console()
        return said.count("the minimal loop takes over") + said.count("executes itself anew")

    before, rescued = scene.one("mortal"), rescues()
    scene.machine.fault_beside("stage", name="_due", count=40)
    scene.say(b"x")
    scene.until(lambda: rescues() > rescued, "the minimal loop")
    os.kill(before, signal.SIGKILL)
    scene.another("mortal", before)


STORIES: dict[str, Story] = {
    story.__name__.replace("_", " "): story
    for story in (
        *(death, talk, stream, changed, orders, bad_file, removed, hang_up, readiness, who, no_start, stubborn, shim),
        *(orphans, crowd, re_exec, logger, full_log, nothing_succeeds),
    )
}


def _says_why(scene: Scene, name: str) -> bool:
    status = scene.machine.status(name)
    return bool(status.get("waits_for") or status.get("error"))


def _sleeps(members: list[int]) -> bool:
    """True if a script has come to its last command."""
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in members if Path(f"/proc/{pid}").exists()]
    return names == ["sleep"]
