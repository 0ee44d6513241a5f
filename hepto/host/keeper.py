"""The process beside a node on this host: makes its namespaces and interface, waits for its end, takes all away.

Started as `python -m hepto.host.keeper [--scoped]` by `hepto start`, with the plan as a line on standard input. What it
says goes to standard output, one JSON object a line (`say`); nobody need read it. Standard input's end means, unless
the node is detached, that the node is to end; SIGTERM means it in any case. A node that reboots is started again.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hepto.errors import ExitCode, UserError
from hepto.host import access, container, groups, links, place, relay
from hepto.host.place import Place, Record
from hepto.host.plan import Plan, load
from init.contract import durable

STOP_SECONDS: Final = 150.0
"""For a node's ordered end, which gives pods 30 s and knows its own limits."""
TELL_SECONDS: Final = 3.0
"""Between two orders to end: what has just begun to be PID 1 does not hear the first."""
LONGEST_PLAN: Final = 4 << 20
LONGEST_LINE: Final = 2048
MOST_LOG: Final = 1 << 20
SCOPED: Final = "--scoped"
REBOOT: Final = "reboot"
POWEROFF: Final = "poweroff"
ENDS: Final[dict[int, str]] = {signal.SIGHUP: REBOOT, signal.SIGINT: POWEROFF}
"""The signal by which reboot(2) in a PID namespace ends its init (pid_namespaces(7))."""
SHORTEST_BOOT: Final = 5.0
"""Seconds; a node that asks for a reboot sooner gets it after that."""


class Keeper:
    """Of one node."""

    def __init__(self, plan: Plan, where: Place, owned: groups.Groups):
        self._plan, self._where, self._groups = plan, where, owned
        self._stop = asyncio.Event()
        self._pid = 0
        self._attachment = ""
        self._relay: relay.Relay | None = None
        self._port = 0
        self._console = -1
        self._log = -1
        self._rest = b""

    async def run(self) -> str:
        """The node from its first boot to its end; how it ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if not self._plan.detach:
            loop.add_reader(0, self._leash)
        with self._opened(), contextlib.ExitStack() as stack:
            loop.add_reader(self._console, self._hear)
            task = None
            if self._plan.serves_api:
                listener = stack.enter_context(relay.listen())
                self._port = listener.getsockname()[1]
                durable.write(str(self._where.kubeconfig), access.kubeconfig(self._plan, self._port), 0o600, sync=False)
                self._relay = relay.Relay(listener)
                task = asyncio.create_task(self._relay.run())
            try:
                return await self._boots()
            finally:
                if task is not None:
                    task.cancel()
                self._hear()

    async def _boots(self) -> str:
        while True:
            began = time.monotonic()
            status = await self._boot()
            ended = describe(status)
            if ended != REBOOT or self._stop.is_set():
                return ended
            say(rebooting=True)
            self._groups.renew()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + SHORTEST_BOOT - time.monotonic())):
                    await self._stop.wait()
                    return ended

    async def _boot(self) -> int:
        """One boot of the node; the status of its PID 1 as waitpid(2) has it."""
        process = container.start(self._plan, self._where, str(self._groups.node))
        self._pid = process.pid
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.handle, ended.set)
        try:
            await self._release(process.go, process.error)
            await self._until(ended)
            return process.reap()
        except BaseException:
            process.kill()
            raise
        finally:
            self._pid = 0
            self._note()
            loop.remove_reader(process.handle)
            process.close()

    async def _release(self, go: int, error: int) -> None:
        """Give the new process its interface, let it become PID 1, and hear whether it could."""
        plan = self._plan
        self._attachment = links.attach(plan.iface, plan.name, plan.hardware_address, self._pid)
        self._note()
        os.write(go, container.GO)
        if text := await _read(error):
            raise UserError(
                f"the node's root could not be made: {text.decode(errors='replace')}",
                f"check {plan.image} and the kernel's messages (dmesg)",
            )
        say(up=self._pid, attachment=self._attachment, port=self._port)

    async def _until(self, ended: asyncio.Event) -> None:
        """Until PID 1 is gone: by itself, or because it has been told to end."""
        with self._led():
            waits = [asyncio.create_task(event.wait()) for event in (ended, self._stop)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()
            if not ended.is_set():
                for _ in range(int(STOP_SECONDS / TELL_SECONDS)):
                    os.kill(self._pid, signal.SIGTERM)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TELL_SECONDS):
                            await ended.wait()
                            return
                os.kill(self._pid, signal.SIGKILL)
                await ended.wait()

    @contextlib.contextmanager
    def _led(self) -> Iterator[None]:
        network = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self._relay is not None:
                self._relay.lead_to(network)
            yield
        finally:
            if self._relay is not None:
                self._relay.lead_to(-1)
            os.close(network)

    # -- what others see -----------------------------------------------------------------------------------------------

    def _note(self) -> None:
        plan = self._plan
        record = Record(
            name=plan.name,
            cluster=plan.cluster,
            role=plan.role,
            iface=plan.iface,
            data=plan.data,
            keeper=os.getpid(),
            group=str(self._groups.base),
            pid=self._pid,
            attachment=self._attachment,
            port=self._port,
        )
        self._where.write(record)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        os.mkfifo(self._where.console, 0o600)
        self._console = os.open(self._where.console, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._log = os.open(self._where.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._plan.detach:
            os.dup2(self._log, 2)  # nobody hears us there
        try:
            yield
        finally:
            os.close(self._console)
            os.close(self._log)

    def _hear(self) -> None:
        """PID 1's lines: into the log, and to whoever has started the node."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._console, 65536):
                if os.fstat(self._log).st_size > MOST_LOG:
                    os.ftruncate(self._log, 0)
                os.write(self._log, data)
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    say(console=line.decode(errors="replace")[:LONGEST_LINE])

    def _leash(self) -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            self._stop.set()


def describe(status: int) -> str:
    """How a node ended, from its PID 1's status: `poweroff`, `reboot`, or what happened to it."""
    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status))
        return ENDS.get(number, f"killed by {number.name}")
    return f"exit status {os.WEXITSTATUS(status)}"


def say(**words: Any) -> None:
    """A line for whoever has started the node, if it still listens and keeps up."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(words).encode() + b"\n")


async def _read(descriptor: int) -> bytes:
    """What comes first, b"" for the end. Without a thread: this process forks."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, LONGEST_LINE)


def _read_plan() -> Plan:
    data = b""
    while not data.endswith(b"\n") and len(data) < LONGEST_PLAN:
        part = os.read(0, 65536)
        if not part:
            raise ValueError("the plan is cut off")
        data += part
    return load(data)


def main(arguments: list[str], run: Path = place.RUN, control: Path = groups.ROOT) -> int:
    """Keep one node. The exit code says whether it ended as it should."""
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    plan = _read_plan()
    os.set_blocking(1, False)
    where = Place(run / plan.name)
    lock = place.acquire(where)
    if lock is None:
        what, hint = f"a node {plan.name} runs on this host already", f"hepto stop {plan.name}, or give another name"
        say(failed=what, hint=hint, code=ExitCode.REFUSED)
        return 1
    owned = groups.Groups(groups.base(plan.name, scoped=SCOPED in arguments, root=control))
    try:
        place.begin(where)
        owned.prepare()
        ended = asyncio.run(Keeper(plan, where, owned).run())
    except (UserError, OSError) as error:
        what, hint = (
            error.lines() if isinstance(error, UserError) else (str(error), "see dmesg for the kernel's reason")
        )
        say(failed=what, hint=hint, code=getattr(error, "code", ExitCode.FAILED))
        return 1
    else:
        say(ended=ended)
        return 0 if ended in (POWEROFF, REBOOT) else 1
    finally:
        owned.leave(control)
        place.release(where)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
