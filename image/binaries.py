"""The upstream stack: compiled into the cache, or taken ready from a folder.

Promises: what is compiled is keyed by everything that enters it, so an unchanged stack is never compiled twice; a
folder that lacks a binary is refused by name. Go's own caches are below ours, unless GOCACHE or GOMODCACHE say
otherwise; where they are does not enter the key.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from hepto.edge.cache import ensure, key_of
from hepto.edge.command import CommandFailedError, run
from hepto.edge.debian import ensure_go
from hepto.errors import ExitCode, UserError
from image import elf, goinfo
from image.spec import BINARIES, MULTICALL, PLUGINS, SHIM

SOURCE = Path(__file__).parent / "stack"
KUBERNETES = "k8s.io/kubernetes"
TAGS = "no_btrfs,no_devmapper,no_zfs,no_tracing"
STRIP = "-s -w -buildid="
PLUGIN_PATHS = {
    "host-local": "ipam/host-local",
    "loopback": "main/loopback",
    "portmap": "meta/portmap",
    "ptp": "main/ptp",
}
PLUGIN_MODULE = "github.com/containernetworking/plugins"
# The modules whose versions a person wants to know.
NAMED = {
    "kubernetes": KUBERNETES,
    "etcd": "go.etcd.io/etcd/server/v3",
    "containerd": "github.com/containerd/containerd/v2",
    "coredns": "github.com/coredns/coredns",
    "cni-plugins": PLUGIN_MODULE,
}


ROOM = 5_000_000_000
"""Bytes: what Go has compiled (3 GB), the modules and a toolchain (1.4 GB), the binaries (0.2 GB), and some air."""
LEAST_ROOM = 500_000_000
"""With all of that in the caches."""


def module_version(text: str, module: str) -> str:
    """The version of a module that go.mod requires."""
    match = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} (v\S+)", text, re.MULTILINE)
    if match is None:
        raise LookupError(f"go.mod requires no {module}")
    return match[1]


def commands(version: str, output: Path) -> list[list[str]]:
    """The compiler's command lines, all run in the folder of the sources."""
    major, minor = version.removeprefix("v").split(".")[:2]
    base = "k8s.io/component-base/version"
    stamps = {
        f"{base}.gitVersion": version,
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        f"{base}.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    flags = " ".join([STRIP, *(f"-X {name}={value}" for name, value in stamps.items())])
    build = ["go", "build", "-trimpath"]
    plugins = [
        [*build, "-ldflags", STRIP, "-o", str(output / name), f"{PLUGIN_MODULE}/plugins/{path}"]
        for name, path in PLUGIN_PATHS.items()
    ]
    return [
        [*build, "-ldflags", flags, "-tags", TAGS, "-o", str(output / MULTICALL), "."],
        [*build, "-ldflags", STRIP, "-tags", TAGS, "-o", str(output / SHIM), "./shim"],
        *plugins,
    ]


def modules_of(binary: bytes) -> dict[str, str]:
    """The Go modules in an executable and their versions, as its compiler wrote them down."""
    info = goinfo.read(binary)
    return {module.stands_for or module.path: module.version for module in info.modules} if info else {}


def source_key(toolchain: str) -> str:
    """The key of everything that enters the compilation."""
    files = sorted(path for path in SOURCE.rglob("*") if path.is_file() and path.suffix in {".go", ".mod", ".sum"})
    contents = [part for path in files for part in (str(path.relative_to(SOURCE)), path.read_bytes())]
    version = module_version((SOURCE / "go.mod").read_text(), KUBERNETES)
    return key_of(toolchain, repr(commands(version, Path("OUT"))), *contents)


def ready(directory: Path) -> Path:
    """A folder of ready binaries, checked."""
    if not directory.is_dir():
        raise UserError(f"{directory} is no directory", f"give a directory with {', '.join(BINARIES)}", ExitCode.USAGE)
    whole = f"it has to hold {', '.join(BINARIES)}; without --stack hepto compiles them"
    missing = [name for name in BINARIES if not (directory / name).is_file()]
    if missing:
        raise UserError(f"{directory} has no {', '.join(missing)}", whole, ExitCode.USAGE)
    wrong = [name for name in BINARIES if not _is_program(directory / name)]
    if wrong:
        raise UserError(f"{', '.join(wrong)} in {directory}: no program for amd64", whole, ExitCode.USAGE)
    return directory


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return os.access(path, os.X_OK) and elf.is_program(file.read(elf.HEADER))
    except PermissionError:
        return False


def go_caches(cache: Path) -> dict[str, str]:
    """Where Go shall keep what it compiles and fetches."""
    return {"GOCACHE": str(cache / "go-build"), "GOMODCACHE": str(cache / "go-mod")}


def check_space(cache: Path, free: int | None = None) -> None:
    """Complains before eight minutes of compiling fill the disk; `free` are bytes, if it need not be asked.

    Raises UserError.
    """
    kept = sum(_size(Path(path)) for path in go_caches(cache).values())
    wanted = max(ROOM - kept, LEAST_ROOM)
    free = shutil.disk_usage(cache).free if free is None else free
    if free < wanted:
        raise UserError(
            f"{cache} has {free / 1e9:.1f} GB free, and compiling the Kubernetes stack may need {wanted / 1e9:.1f} GB",
            "make room, move the cache with HEPTO_CACHE, or give ready binaries with --stack DIR",
        )


def _size(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*"))


def toolchain(cache: Path) -> tuple[str, dict[str, str]]:
    """What go answers when asked for its version in the stack's folder, and the environment in which it does.

    Raises UserError if it cannot build the stack.
    """
    environment = go_caches(cache) | {**os.environ, **ensure_go(cache)}
    environment["GOFLAGS"] = f"{environment.get('GOFLAGS', '')} -modcacherw".strip()
    try:
        # The last line: before it go says what it downloads, which must not enter the key.
        return run(["go", "version"], directory=SOURCE, environment=environment).splitlines()[-1].strip(), environment
    except CommandFailedError as error:
        raise _explained(error, module_version_of_go((SOURCE / "go.mod").read_text())) from error


def module_version_of_go(text: str) -> str:
    """The Go version that go.mod asks for."""
    match = re.search(r"^go (\S+)", text, re.MULTILINE)
    return match[1] if match else "1.21"


def compiled(cache: Path, watch: Callable[[str], None]) -> Path:
    """The folder of compiled binaries: from the cache, else compiled (about eight minutes on two cores, cold).

    `watch` is told the package that is being compiled.
    """
    version, environment = toolchain(cache)
    text = (SOURCE / "go.mod").read_text()

    def make(target: Path) -> None:
        check_space(cache)
        logs = cache / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        for words in commands(module_version(text, KUBERNETES), target):
            try:
                # -v names each package as it is compiled, and changes nothing in what comes out.
                words[2:2] = ["-v"]
                settings = {**environment, "CGO_ENABLED": "0"}
                run(words, environment=settings, directory=SOURCE, log=logs / "go.log", watch=watch)
            except CommandFailedError as error:
                raise _explained(error, module_version_of_go(text)) from error

    return ensure(cache / "stack", source_key(version), make)


def _explained(error: CommandFailedError, wanted: str) -> UserError:
    output = error.output
    if "no space left" in output:
        return UserError(
            "no space left while compiling the Kubernetes stack",
            f"make room: all of it needs {ROOM / 1e9:.0f} GB in the cache directory, and 1 GB where TMPDIR says",
        )
    if re.search(r"requires go >=|toolchain not available|unknown directive: toolchain|invalid go version", output):
        return UserError(
            f"this Go cannot build the Kubernetes stack, which asks for Go {wanted}",
            f"install Go {wanted}, or set GOTOOLCHAIN=auto so that go fetches it, or give --stack DIR",
        )
    if re.search(r"dial tcp|no such host|i/o timeout|connection refused|proxyconnect", output):
        return UserError(
            "go could not fetch its modules",
            "check the network (and GOPROXY), then try again, or give ready binaries with --stack DIR",
            ExitCode.UNREACHABLE,
        )
    return UserError(
        f"the Kubernetes stack does not compile: {error.last_line()}", "see logs/go.log in the cache directory"
    )


assert set(PLUGINS) == set(PLUGIN_PATHS)
