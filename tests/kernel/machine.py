"""A machine for tests: PID 1 in its own pid, mount and IPC namespaces on a private cgroup v2 subtree."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from init.contract.control import MAX_PACKET, Request, Verb
from init.contract.service import Service
from tests.kernel.faults import injector

DRIVER = Path(__file__).parent / "pid1_driver.py"
PATIENCE = 15.0
SLEEP = ("/bin/sleep", "1000")


def shell(script: str, **more: object) -> Service:
    """A service that is a shell script."""
    return Service(("/bin/sh", "-c", script), **more)  # type: ignore[arg-type]  # the test's own keywords


def _began(pid: int) -> int:
    """When a process began, in ticks of the kernel (proc(5), field 22); pids wrap, so they do not tell who is elder."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:  # it has just gone
        return sys.maxsize


class Client:
    """One connection to the control socket."""

    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    def receive(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._socket.recv(MAX_PACKET))
        return value

    def ask(self, verb: Verb, **arguments: object) -> dict[str, Any]:
        self.send(Request(verb, arguments).encode())
        return self.receive()

    def closed_by_peer(self) -> bool:
        """Wait for the end of the connection; False if something else comes."""
        try:
            return self._socket.recv(100) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._socket.close()


class Machine:
    """The files and sockets of a running PID 1."""

    def __init__(self, root: Path, cgroups: Path, process: "subprocess.Popen[bytes]"):
        self.root, self.cgroups, self.process = root, cgroups, process
        self.run = root / "run/hepto"
        self._said = b""
        self._orders = 0
        self._console = os.open(root / "console", os.O_RDWR | os.O_NONBLOCK)

    # -- what the agent does ------------------------------------------------------------------------------------------

    def write(self, name: str, service: Service | bytes) -> None:
        """A service file, by rename."""
        temporary = self.run / "services" / f".{name}.json.tmp"
        temporary.write_bytes(service if isinstance(service, bytes) else service.dump())
        temporary.rename(self.run / "services" / f"{name}.json")

    def remove(self, name: str) -> None:
        (self.run / "services" / f"{name}.json").unlink()

    def ask(self, verb: Verb, **arguments: object) -> dict[str, Any]:
        with contextlib.closing(self.client()) as client:
            return client.ask(verb, **arguments)

    def client(self) -> Client:
        return Client(self.run / "init.sock")

    def listens(self) -> bool:
        """The control socket is there, and no longer only bound."""
        with contextlib.suppress(OSError), contextlib.closing(self.client()):
            return True
        return False

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def fault(self, what: str, **more: object) -> None:
        """Order a fault (faults/injector.py) in place of the one before, or `nothing`. PID 1 takes it at its next
        turn."""
        self._orders += 1
        injector.write_order(str(self.root), {"what": what, "serial": self._orders, **more})

    def fault_beside(self, what: str, **more: object) -> None:
        """The same beside a fault that still waits for its call: of the kinds `stage` and `start`."""
        injector.write_order(str(self.root), {"what": what, **more}, injector.BESIDE)

    def re_exec(self, **fault: object) -> None:
        """Have PID 1 execute itself, by order or by the fault that does it, and wait until the next generation does its
        work."""
        before = self.console().count("executes itself anew")
        if fault:
            self.fault(**fault)  # type: ignore[arg-type]  # the test's own keywords
            with contextlib.suppress(OSError, ValueError):  # it may execute itself instead of answering
                self.ask(Verb.NOTE, text="wake up")
        else:
            self.until(lambda: self.ask(Verb.RE_EXEC) == {"ok": True}, "not refused")
        self.until(lambda: self.console().count("executes itself anew") > before, "the exec")
        self.write("mark", Service(SLEEP, restart_key=str(before)))
        self.until_state("mark", "ready")

    def fired(self) -> str:
        """Where the last fault that was ordered has come; "" if it has not."""
        try:
            return Path(injector.fired(str(self.root), self._orders)).read_text()
        except FileNotFoundError:
            return ""

    # -- what can be seen ---------------------------------------------------------------------------------------------

    def status(self, name: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads((self.run / "status" / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return {}
        return value

    def boot(self) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads((self.run / "boot.json").read_bytes())
        except FileNotFoundError:
            return {}
        return value

    def phases(self) -> dict[str, str]:
        return {phase["name"]: phase["state"] for phase in self.boot().get("phases", ())}

    def members(self, name: str) -> list[int]:
        """Pids of a service's group, as seen by the host; the eldest first, which the service was started as."""
        try:
            text = (self.cgroups / "hepto" / name / "cgroup.procs").read_text()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):  # it is made anew for each start
                raise
            return []
        found = sorted(map(int, text.split()))
        return sorted(found, key=_began) if len(found) > 1 else found

    def log(self, name: str) -> bytes:
        """What waits in a FIFO; taken out, as the logger does."""
        try:
            descriptor = os.open(self.run / "log" / name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return b""
        try:
            return os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return b""
        finally:
            os.close(descriptor)

    def console(self) -> str:
        """All that PID 1 has said. A pipe, not a file: each generation opens the console anew."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._console, 65536):
                self._said += data
        return self._said.decode()

    # -- waiting for readiness, never for time ------------------------------------------------------------------------

    def until(self, condition: Callable[[], Any], what: str = "", more: Callable[[], object] = lambda: "") -> Any:
        """Look again and again until it is true; fail with what is known after `PATIENCE`, and `more` of it."""
        end = time.monotonic() + PATIENCE
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end or self.process.poll() is not None:
                states = {path.stem: path.read_text() for path in (self.run / "status").glob("*.json")}
                raise AssertionError(
                    f"never came: {what} {more()}\n{states}\n{self.boot()}\n{self.console()}\n{self.log('init')!r}"
                )
            time.sleep(0.005)

    def until_state(self, name: str, state: str, **more: object) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            status = self.status(name)
            wanted = {"state": state, **more}
            return status if all(status.get(field) == value for field, value in wanted.items()) else None

        found: dict[str, Any] = self.until(there, f"{name} {state} {more}")
        return found

    def close(self) -> None:
        os.close(self._console)

    def signal(self, number: int) -> None:
        """Send a signal to PID 1 from outside its namespace."""
        os.kill(self.init_pid, number)

    @property
    def init_pid(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


def cgroup2() -> Path:
    """Where the host has cgroup v2."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _source, target, kind, *_rest = line.split()
        if kind == "cgroup2":
            return Path(target)
    raise AssertionError("no cgroup2 is mounted here")


def remove(group: Path) -> None:
    """Remove a tree of control groups whose processes have been killed: the last may still be on its way out."""
    for directory, _directories, _files in os.walk(group, topdown=False):
        for _ in range(1000):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()
                break
            time.sleep(0.005)


@contextlib.contextmanager
def machine(root: Path, through: tuple[str, ...] = (), **fault: object) -> Iterator[Machine]:
    """Boot, with a fault on the way if one is ordered; at the end nothing of it is left.

    `through` is a command that prepares the namespaces and then executes the one that follows it.
    """
    if fault:
        injector.write_order(str(root), {"serial": 0, **fault})
    group = cgroup2() / f"hepto-test-{os.getpid()}-{root.name}"
    group.mkdir()
    (root / "run").mkdir(exist_ok=True)
    os.mkfifo(root / "console")
    command = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--ipc", "--net", "--uts", "--kill-child"]
    driver = (sys.executable, "-I", "-S", str(DRIVER), str(root), str(group))
    process = subprocess.Popen([*command, "--", *through, *driver])
    found = Machine(root, group, process)
    try:
        found.until(found.listens, "the control socket")
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        found.close()
        (group / "cgroup.kill").write_text("1")
        remove(group)
