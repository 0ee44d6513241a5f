"""The rules of the tree that no linter knows: sizes, docstrings, cores without a world, nothing of a machine."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

CORES = ("backup", "chart", "clock", "firewall", "gossip", "kube", "mesh", "net", "pki")
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


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Most files are looked at by several tests."""
    return ast.parse(path.read_text())


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
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in functions(parsed(path))
        if node.end_lineno and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES
    assert long == []


@pytest.mark.parametrize(
    "path",
    [path for root in ("init", "hepto", "image") for path in tracked(f"{root}/*.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert not path.read_text().strip() or ast.get_docstring(parsed(path))


@pytest.mark.parametrize(
    "path",
    [path for core in CORES for path in tracked(f"hepto/{core}/*.py") if path.name != "driver.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_cores_do_not_touch_the_world(path: Path) -> None:
    """Bytes, time and dice are arguments (architecture.md section 2); only driver.py does I/O."""
    touched = {name for name in imports(parsed(path)) if name.split(".")[0] in WORLD or name.startswith("hepto.edge")}

    assert touched == set()


def test_pid_1_uses_no_subprocess() -> None:
    """With a waitid(P_ALL) reaper subprocess reports exit 0 for a command that failed (boot.md section 2)."""
    offenders = [
        str(path) for path in tracked("init/*.py") if {"subprocess", "multiprocessing"} & set(imports(parsed(path)))
    ]

    assert offenders == []


def test_only_one_module_speaks_to_libc() -> None:
    """And one beside it, with what a host makes containers with: it would cost PID 1 a part of its start."""
    users = [path.relative_to(ROOT).as_posix() for path in tracked("*.py") if "ctypes" in set(imports(parsed(path)))]

    assert set(users) <= {"init/linux.py", "hepto/edge/namespaces.py"}


OF_A_NODE = ("init", "hepto")
NOT_OF_A_NODE = (
    "hepto/cli/",
    "hepto/host/",
    "hepto/lab/",
    "hepto/sim/",
    "hepto/edge/apt.py",
    "hepto/edge/cache.py",
    "hepto/edge/command.py",
)
"""Programs of whoever builds, operates or simulates: their files are not a node's state."""
WRITES_ITSELF = {
    "init/contract/durable.py": "it is the one that does",
    "init/logring.py": "a log grows in place; what it may lose is said there",
    "init/seed.py": "/dev/urandom",
    "init/__main__.py": "/proc/sysrq-trigger",
}


def writes(tree: ast.AST) -> Iterator[str]:
    """Calls that make, rename or overwrite files. What is opened without O_CREAT is there: devices, sysctls."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        name = call.rpartition(".")[2]
        modes = [
            argument.value
            for argument in (*node.args, *(word.value for word in node.keywords))
            if isinstance(argument, ast.Constant)
        ]
        opens = name in ("open", "fdopen") and any(
            isinstance(mode, str) and mode[:1] in ("w", "a", "x") and len(mode) <= 3 for mode in modes
        )
        makes = call == "os.open" and any(flag in ast.unparse(node) for flag in ("O_CREAT", "O_TRUNC", "flags"))
        moves = name in ("rename", "renames", "write_text", "write_bytes") or call in ("os.replace", "os.link")
        if opens or makes or moves or call.startswith(("shutil.copy", "shutil.move", "tempfile.")):
            yield f"{node.lineno}: {ast.unparse(node)}"


def test_a_node_writes_its_files_durably_or_says_why_not() -> None:
    """Every file that a power cut must not spoil goes through init/contract/durable.py."""
    found = {}
    for root in OF_A_NODE:
        for path in tracked(f"{root}/*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_OF_A_NODE) and (lines := list(writes(ast.parse(path.read_text())))):
                found[name] = lines

    assert {name: lines for name, lines in found.items() if name not in WRITES_ITSELF} == {}
    assert set(found) == set(WRITES_ITSELF)


@pytest.mark.parametrize(
    "line",
    [
        "os.rename(a, b)",
        "Path(a).rename(b)",
        "os.replace(a, b)",
        "path.write_text(text)",
        "open(path, 'w')",
        "path.open('xb')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "shutil.move(a, b)",
    ],
)
def test_writes_are_seen(line: str) -> None:
    assert len(list(writes(ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line", ["open(path, 'rb')", "os.open(path, os.O_RDWR)", "replace(plan, a=1)", "'a'.replace('b', 'c')"]
)
def test_reads_are_no_writes(line: str) -> None:
    assert list(writes(ast.parse(line))) == []


def test_no_mocks() -> None:
    users = [str(path) for path in tracked("tests/*.py") if any("mock" in name for name in imports(parsed(path)))]

    assert users == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    paths = [
        path
        for path in tracked("*")
        if path.suffix not in (".sum", ".png") and str(ROOT) in path.read_text(errors="ignore")
    ]

    assert paths == []
