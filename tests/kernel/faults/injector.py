"""Inside the process under test: raises what an order says at a call or a line, or notes which calls are reached.

Standard library only, imported by PID 1's driver under `-I -S`. An order is a file, which each process takes once: also
the one that PID 1 becomes by an exec, and the logger when it starts. Before anything is raised a file is made that must
be new, so that one order makes one of them raise, once.
"""

import builtins
import dis
import json
import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ORDER, BESIDE, REACHED = "faults", "faults.beside", "faults.reached"
FIRED = "faults.fired"
"""A directory that any user may write to: a child may have become another one before it is made to raise."""

End = tuple[int, int]
Tracer = Callable[[FrameType, str, Any], Any]


def ends(code: CodeType) -> dict[int, End]:
    """Where each call of a code object ends in its source, by the offsets of its instructions."""
    found = {}
    for item in dis.get_instructions(code):
        at = item.positions
        if at is not None and at.end_lineno and at.end_col_offset and item.opname.startswith(("CALL", "PRECALL")):
            found[item.offset] = (at.end_lineno, at.end_col_offset)
    return found


def made(name: str, where: str) -> BaseException:
    """The exception that an order names."""
    kind, _, number = name.partition(":")
    if number:
        return OSError(int(number), os.strerror(int(number)), f"injected at {where}")
    error: BaseException = getattr(builtins, kind)(f"injected at {where}")
    return error


def fired(directory: str, serial: int) -> str:
    """The file that tells where the order of this number has made something raise."""
    return f"{directory}/{FIRED}/{serial}"


def write_order(directory: str, order: dict[str, Any], name: str = ORDER) -> None:
    """Put an order where the processes under test look for it."""
    temporary = f"{directory}/{name}.tmp"
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(order, file)
    os.rename(temporary, f"{directory}/{name}")


class Injector:
    """Orders come in the file `name` of `directory`."""

    def __init__(self, directory: str, name: str = ORDER):
        self._directory, self._order = directory, f"{directory}/{name}"
        os.makedirs(f"{directory}/{FIRED}", exist_ok=True)
        os.chmod(f"{directory}/{FIRED}", 0o1777)
        self._fired = os.open(f"{directory}/{FIRED}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._before: os.stat_result | None = None
        self._codes: dict[int, tuple[CodeType, dict[int, End] | None]] = {}

    def taken(self) -> dict[str, Any] | None:
        """The order that has come, if this process has not taken it. What it asks of the interpreter is done then."""
        try:
            found = os.stat(self._order)
        except FileNotFoundError:
            return None
        if self._before is not None and (found.st_ino, found.st_mtime_ns) == (
            self._before.st_ino,
            self._before.st_mtime_ns,
        ):
            return None
        self._before = found
        with open(self._order, encoding="ascii") as file:
            order: dict[str, Any] = json.load(file)
        match order["what"]:
            case "site":
                self._at_site(order)
            case "line":
                self._at_line(order)
            case "record":
                self._record()
            case "nothing":
                sys.settrace(None)
            case _:
                os.unlink(self._order)  # for this process alone
        return order

    def _at_site(self, order: dict[str, Any]) -> None:
        """Raise at the next execution of a call."""
        path, end = f"{ROOT}/{order['path']}", tuple(order["end"])
        text = f"{order['path']}:{end[0]}:{end[1]}"

        def local(frame: FrameType, event: str, _argument: object) -> Any:
            calls = self._calls(frame.f_code, path)
            if event == "opcode" and calls and calls.get(frame.f_lasti) == end and self._fire(order, text):
                sys.settrace(None)
                raise made(order["error"], text)
            return local

        def wanted(code: CodeType) -> bool:
            calls = self._calls(code, path)
            return calls is not None and end in calls.values()

        self._trace(local, wanted)

    def _at_line(self, order: dict[str, Any]) -> None:
        """Raise at the so-many-th line of init that is executed from now on, wherever that is."""
        left = [order["count"]]

        def local(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    sys.settrace(None)
                    where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                    if self._fire(order, where):
                        raise MemoryError(f"injected at {where}")
            return local if left[0] > 0 else None

        def start(frame: FrameType, _event: str, _argument: object) -> Any:
            return local if left[0] > 0 and f"{ROOT}/init/" in frame.f_code.co_filename else None

        sys.settrace(start)

    def _record(self) -> None:
        """Note each call the first time that it is reached, by this process or one that it forks."""
        seen: set[tuple[str, End]] = set()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        notes = os.open(f"{self._directory}/{REACHED}", flags, 0o600)

        def local(frame: FrameType, event: str, _argument: object) -> Any:
            calls = self._calls(frame.f_code)
            end = calls.get(frame.f_lasti) if event == "opcode" and calls else None
            if end is not None and (frame.f_code.co_filename, end) not in seen:
                seen.add((frame.f_code.co_filename, end))
                path = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
                os.write(notes, f"{path} {end[0]} {end[1]}\n".encode())
            return local

        self._trace(local, lambda code: bool(self._calls(code)))

    def _trace(self, local: Tracer, wanted: Callable[[CodeType], bool]) -> None:
        """Trace the instructions of the wanted code, from now on, the frames that are under way included."""

        def start(frame: FrameType, _event: str, _argument: object) -> Any:
            if not wanted(frame.f_code):
                return None
            frame.f_trace_opcodes = True
            return local

        below: FrameType | None = sys._getframe()
        while below is not None:
            if wanted(below.f_code):
                below.f_trace, below.f_trace_opcodes = local, True
            below = below.f_back
        sys.settrace(start)

    def _calls(self, code: CodeType, path: str = "") -> dict[int, End] | None:
        """The calls of a code object of ours (of that file); None if it is none."""
        found = self._codes.get(id(code))
        if found is None:
            ours = code.co_filename.startswith((f"{ROOT}/init/", f"{ROOT}/hepto/"))
            found = self._codes[id(code)] = (code, ends(code) if ours else None)  # kept, so that its id stays its own
        return found[1] if not path or code.co_filename == path else None

    def _fire(self, order: dict[str, Any], where: str) -> bool:
        """True if nobody has raised for this order yet."""
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(str(order["serial"]), flags, 0o600, dir_fd=self._fired)
        except FileExistsError:
            return False
        os.write(descriptor, where.encode())
        os.close(descriptor)
        return True
