"""PID 1 of a test: the production loop in fresh pid, mount and IPC namespaces, with its own settings.

Run as `python -I -S pid1_driver.py ROOT CGROUPS [resume=FD]` by tests/kernel/machine.py.
"""

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

import os  # noqa: E402
import sys  # noqa: E402
from types import FrameType  # noqa: E402
from typing import Any  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from init import cgroups as control_groups  # noqa: E402
from init import handover  # noqa: E402
from init.boot import Phase, Run, Task, Wait, World  # noqa: E402
from init.contract.service import Restart, Service  # noqa: E402
from init.contract.status import State  # noqa: E402
from init.pid1 import Init  # noqa: E402
from init.settings import Settings  # noqa: E402
from init.shutdown import STEPS, Action, Kind  # noqa: E402

PHASES = (
    Phase("first", "first"),
    Phase("services", "services", again=True),
    Phase("second", "second"),
    Phase("forever", "forever", background=True),
)


def first(world: World) -> Task:
    finished = yield Run(("/bin/sh", "-c", "echo hello; exit 3"), timeout=5, capture=True)
    world.log(f"first: {finished.code} {finished.output!r}")


def second(world: World) -> Task:
    world.state["data"] = "memory"
    yield Wait(0.01)


def services(world: World) -> Task:
    world.add_service("builtin", Service(("/bin/sleep", "1000"), restart=Restart(step=0.01)))
    yield from ()


def forever(world: World) -> Task:
    while True:
        yield Wait(3600.0, uevent=True)


class Faulty(Init):
    """Raises where the file `faults` below the root says: NAME of a stage, how often. Or executes itself at a start."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._root: str = arguments[0].root
        self._exec_at_a_start = False

    def _turn(self) -> None:
        path = f"{self._root}/faults"
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                name, count = file.read().split()
            os.unlink(path)
            self._exec_at_a_start = name == "start"
            if not self._exec_at_a_start:
                (self._trace if name == "line" else self._inject)(name, int(count))
        if self._exec_at_a_start and any(one.state is State.STARTING for one in self.supervisor.services.values()):
            self._execute(0)
        super()._turn()

    def _trace(self, _name: str, count: int) -> None:
        """Raise at the so-many-th line of init that is executed from now on, wherever that is."""
        left = [count]

        def local(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    sys.settrace(None)
                    where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                    with open(f"{self._root}/faults.done", "w", encoding="ascii") as file:
                        file.write(where)
                    raise MemoryError(f"injected at {where}")
            return local if left[0] > 0 else None

        def start(frame: FrameType, _event: str, _argument: object) -> Any:
            return local if left[0] > 0 and "/init/" in frame.f_code.co_filename else None

        sys.settrace(start)

    def _inject(self, name: str, count: int) -> None:
        left = [count]
        original = getattr(self, name)

        def raising(*arguments: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise MemoryError(f"injected into {name}")
            return original(*arguments)

        setattr(self, name, raising)


def main() -> None:
    root, cgroups = sys.argv[1:3]

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

    control_groups.SHIM_SCORE = 500  # less than ours needs a capability that a build container lacks
    settings = Settings(
        phases=PHASES,
        tasks={"first": first, "second": second, "services": services, "forever": forever},
        end=end,
        program=(sys.executable, "-I", "-S", os.path.abspath(__file__), root, cgroups),
        root=root,
        cgroups=cgroups,
        console="/console",
        bind=bind,
        unmount=unmount,
        steps=tuple(step._replace(seconds=1.0) if step.kind is Kind.UNMOUNT else step for step in STEPS),
        machine=False,
    )
    before = handover.read(int(sys.argv[3].removeprefix("resume="))) if len(sys.argv) > 3 else None
    Faulty(settings, before).run()


if __name__ == "__main__":
    main()
