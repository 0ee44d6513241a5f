"""Every call expression of PID 1 and of the agent's drivers, found in the syntax tree; and what each is made to raise.

The exception is chosen by the site alone, so that a run can be repeated: where the system is asked, mostly what a
system out of descriptors, space or memory says; elsewhere what a defect of ours raises.
"""

import ast
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent.parent
PID1, AGENT = "init", "hepto"
SYSTEM = ("os", "open", "linux", "fcntl", "select", "signal", "socket", "cgroups", "durable", "resource", "self._epoll")
"""What a call's name begins with that ends in a system call."""
REFUSALS = ("OSError:24", "OSError:28", "OSError:5", "OSError:12")  # EMFILE, ENOSPC, EIO, ENOMEM
DEFECTS = ("MemoryError", "ValueError", "RuntimeError", "KeyError", "TypeError", "AssertionError", "RecursionError")
NAME_LENGTH = 48


class Site(NamedTuple):
    """One call: where it stands, the function around it, and what is called."""

    path: str
    """Relative to the repository."""
    line: int
    """From 1, as `column`: of the call's first character."""
    column: int
    end: tuple[int, int]
    """Line from 1 and column from 0 behind the call's last character, as code objects have it."""
    function: str
    call: str

    @property
    def name(self) -> str:
        """For a person and an editor."""
        return f"{self.path}:{self.line}:{self.column}"


def files(root: Path = ROOT) -> list[Path]:
    """Whose calls are enumerated: all of PID 1, and what the agent touches the world with."""
    patterns = ("init/**/*.py", "hepto/**/driver.py", "hepto/edge/**/*.py", "hepto/node/**/*.py")
    return sorted({path for pattern in patterns for path in root.glob(pattern)})


def sites(root: Path = ROOT) -> list[Site]:
    """All calls, in the order of their files and lines."""
    return sorted(site for path in files(root) for site in of_source(path.read_text(), str(path.relative_to(root))))


def of_source(text: str, path: str) -> Iterator[Site]:
    """The calls of one file."""
    yield from _below(ast.parse(text), path, "")


def _below(node: ast.AST, path: str, function: str) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{child.name}" if function else child.name
        elif isinstance(child, ast.Call):
            assert child.end_lineno is not None
            assert child.end_col_offset is not None
            name = ast.unparse(child.func)
            short = name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…"
            end = (child.end_lineno, child.end_col_offset)
            yield Site(path, child.lineno, child.col_offset + 1, end, function or "module", short)
        yield from _below(child, path, inner)


def error(site: Site, turn: int = 0) -> str:
    """What is raised there, as `NAME` or `OSError:ERRNO`; another one each turn."""
    number = zlib.crc32(f"{site.path} {site.function} {site.call}".encode()) + turn
    asks = any(site.call == word or site.call.startswith(f"{word}.") for word in SYSTEM)
    if asks and number % 4:
        return REFUSALS[number // 4 % len(REFUSALS)]
    return (*DEFECTS, *REFUSALS)[number // 4 % (len(DEFECTS) + len(REFUSALS))]
