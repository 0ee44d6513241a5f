"""What the loop is built from: production's values in one place, tests hand in their own."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from init.boot import Phase, TaskFunction
from init.contract import paths
from init.shutdown import STEPS, Action, Step


class Settings(NamedTuple):
    """Everything about PID 1 that a test wants to differ."""

    phases: tuple[Phase, ...]
    tasks: Mapping[str, TaskFunction]
    end: Callable[[Action], None]
    """Ends the machine; does not return."""
    program: tuple[str, ...] = (paths.PYTHON, "-I", "-S", paths.PROGRAM)
    """What a re-exec executes; `resume=FD` is appended."""
    root: str = ""
    """Prefix of /run/hepto, /dev and /sys."""
    cgroups: str = paths.CGROUPS
    console: str = "/dev/console"
    bind: Callable[[str], None] = lambda _directory: None
    """Makes the node's writable places (verb `mounts`); runs in a forked child."""
    unmount: Callable[[bool], None] = lambda _detach: None
    """Unmounts everything; runs in a forked child."""
    steps: tuple[Step, ...] = STEPS
    """Of a shutdown."""
    cad_off: Callable[[], None] = lambda: None
    """Makes Ctrl-Alt-Del a SIGINT."""
    machine: bool = True
    """There are power buttons and a watchdog."""
