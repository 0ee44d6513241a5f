"""The rules of the tree that no linter knows: sizes, docstrings, cores without a world, nothing of a machine."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

CORES = ("clock", "firewall", "gossip", "kube", "mesh", "net", "pki")
WORLD = {
    "asyncio",
    "ctypes",
    "http",
    "os",
    "pyroute2",
    "secrets",
    "select",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
}


def tracked(pattern: str) -> list[Path]:
    """Files of the repository, those not yet added included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in output.splitlines() if (ROOT / line).is_file()]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text()

    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in functions(ast.parse(text))
        if node.end_lineno and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert long == []


@pytest.mark.parametrize(
    "path",
    [path for root in ("init", "hepto", "image") for path in tracked(f"{root}/*.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()

    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "path",
    [path for core in CORES for path in tracked(f"hepto/{core}/*.py") if path.name != "driver.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_cores_do_not_touch_the_world(path: Path) -> None:
    """Bytes, time and dice are arguments (architecture.md section 2); only driver.py does I/O."""
    tree = ast.parse(path.read_text())

    touched = {name for name in imports(tree) if name.split(".")[0] in WORLD or name.startswith("hepto.edge")}

    assert touched == set()


def test_pid_1_uses_no_subprocess() -> None:
    """With a waitid(P_ALL) reaper subprocess reports exit 0 for a command that failed (boot.md section 2)."""
    offenders = [
        str(path)
        for path in tracked("init/*.py")
        if {"subprocess", "multiprocessing"} & set(imports(ast.parse(path.read_text())))
    ]

    assert offenders == []


def test_only_one_module_speaks_to_libc() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in tracked("*.py")
        if "ctypes" in set(imports(ast.parse(path.read_text())))
    ]

    assert set(users) <= {"init/linux.py"}


def test_no_mocks() -> None:
    users = [
        str(path)
        for path in tracked("tests/*.py")
        if any("mock" in name for name in imports(ast.parse(path.read_text())))
    ]

    assert users == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    paths = [
        path
        for path in tracked("*")
        if path.suffix not in (".sum", ".png") and str(ROOT) in path.read_text(errors="ignore")
    ]

    assert paths == []
