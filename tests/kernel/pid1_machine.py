"""What PID 1 of a test is made of: short phases, a shutdown that ends in files, and places where it is made to raise.

With a directory `lib/modules` below the root the machine has the phases of a real one as well.
"""

import contextlib
import os
import signal
import sys
from typing import Any

from init import cgroups as control_groups
from init import fifos, handover, modules, mounts
from init.boot import Phase, Run, Task, Wait, World
from init.contract import paths
from init.contract.service import Restart, Service, parse
from init.contract.status import State
from init.phases import BOOT, TASKS
from init.pid1 import Init
from init.settings import Settings
from init.shutdown import STEPS, Action, Kind
from tests.kernel.faults.injector import Injector

DRIVER = f"{os.path.dirname(os.path.abspath(__file__))}/pid1_driver.py"
PHASES = (
    Phase("first", "first"),
    Phase("services", "services", again=True),
    Phase("second", "second"),
    Phase("forever", "forever", background=True),
)
REAL = tuple(phase for phase in BOOT if phase.name != "services")
OPERATIONS = (
    mounts.Mount("tmpfs", "/tmp", data="mode=1777"),
    mounts.Propagate("/tmp", 1 << 18),
    mounts.Link("/proc/self/fd", "/dev/fd"),
    mounts.Write("x", "/dev/null"),
    mounts.Directory(paths.CREDENTIALS, 0o700),
)
"""What is not the whole machine's: a mount of devtmpfs or cgroup2 would be the host's."""


def first(world: World) -> Task:
    finished = yield Run(("/bin/sh", "-c", "echo hello; exit 3"), timeout=5, capture=True)
    world.log(f"first: {finished.code} {finished.output!r}")


def second(world: World) -> Task:
    world.state.setdefault("data", "memory")
    yield Wait(0.01)


def services(world: World) -> Task:
    world.add_service("builtin", Service(("/bin/sleep", "1000"), restart=Restart(step=0.01)))
    with contextlib.suppress(FileNotFoundError), open(f"{world.root}/agent.json", "rb") as file:
        world.add_service("agent", parse(file.read()))  # it has no file, so that it cannot remove itself
    yield from ()


def forever(world: World) -> Task:
    while True:
        yield Wait(3600.0, uevent=True)


class Faulty(Init):
    """Raises where an order says. Or executes itself at a start."""

    def __init__(self, injectors: tuple[Injector, ...], *arguments: Any):
        super().__init__(*arguments)
        self._injectors = injectors
        self._exec_at_a_start = False

    def _turn(self) -> None:
        for injector in self._injectors:
            match injector.taken():
                case {"what": "stage", "name": str(name), "count": int(count)}:
                    self._inject(name, count)
                case {"what": "start"}:
                    self._exec_at_a_start = True
                case {"what": "execute", "generation": int(generation)}:
                    self._execute(generation)
                case {"what": "garble", "content": str(content)}:
                    handover.Handover.write = lambda self: _memfd(content)  # type: ignore[method-assign]
        if self._exec_at_a_start and any(one.state is State.STARTING for one in self.supervisor.services.values()):
            self._execute(0)
        super()._turn()

    def _inject(self, name: str, count: int) -> None:
        left = [count]
        original = getattr(self, name)

        def raising(*arguments: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise MemoryError(f"injected into {name}")
            return original(*arguments)

        setattr(self, name, raising)


def _memfd(content: str) -> int:
    descriptor = os.memfd_create("garbled", os.MFD_CLOEXEC)
    os.write(descriptor, content.encode())
    return descriptor


def settings(root: str, cgroups: str) -> Settings:
    def end(action: Action) -> None:
        with open(f"{root}/end", "w", encoding="ascii") as file:
            file.write(action.value)
        os._exit(0)

    def bind(directory: str) -> None:
        if directory == "/bad":
            raise ValueError("no such place")
        with open(f"{root}/bound", "w", encoding="ascii") as file:
            file.write(directory)

    def unmount(detach: bool) -> None:
        """Hangs once if the file `hang` is there, as a file system does whose server is away."""
        with open(f"{root}/unmounted", "a", encoding="ascii") as file:
            file.write("detach\n" if detach else "unmount\n")
        if os.path.exists(f"{root}/hang"):
            os.unlink(f"{root}/hang")
            signal.pause()

    real = os.path.isdir(f"{root}{modules.MODULES}")
    return Settings(
        phases=PHASES + REAL if real else PHASES,
        tasks={**TASKS, "first": first, "second": second, "services": services, "forever": forever},
        end=end,
        program=(sys.executable, "-I", "-S", DRIVER, root, cgroups),
        root=root,
        cgroups=cgroups,
        console="/console",
        bind=bind,
        unmount=unmount,
        steps=tuple(step._replace(seconds=1.0) if step.kind is Kind.UNMOUNT else step for step in STEPS),
        machine=real,
    )


def run(root: str, cgroups: str, memory: int, tries: int, injectors: tuple[Injector, ...]) -> None:
    control_groups.SHIM_SCORE = 500  # less than ours needs a capability that a build container lacks
    fifos.FULL = 0.5
    modules.MODPROBE = "/bin/true"
    mounts.OPERATIONS = OPERATIONS
    before = handover.read(memory, tries) if memory >= 0 else None
    Faulty(injectors, settings(root, cgroups), before).run()
