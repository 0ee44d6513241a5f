"""Assembles a node's root in a directory: hard links of the packages' tree, modules, links, compiled Python.

Promises: the cached trees that it links from are never written to (what changes is written as a new file). Only this
module and build.py touch files; what is kept is decided in layout.py from the data in spec.py.
"""

import lzma
import mmap
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from hepto.edge.command import CommandFailedError, run
from hepto.errors import UserError
from image import elf, modules, spec
from image.archive import ContainerImage, Member, write
from image.layout import matcher, packages_of, select
from image.profile import VM, Profile

EXTRA_RIGHTS = stat.S_ISUID | stat.S_ISGID


def inside(root: Path) -> list[str]:
    """The words that run a command of another tree inside it, with root's rights there and none outside."""
    if os.geteuid() == 0:
        return ["chroot", str(root)]
    return ["unshare", "--user", "--map-root-user", "--root", str(root)]


def owners_of(tree: Path) -> dict[str, str]:
    """Path -> package, of everything that dpkg installed in the tree."""
    info = tree / "var/lib/dpkg/info"
    return packages_of({path.stem: path.read_text().splitlines() for path in info.glob("*.list")})


def place(source: Path, target: Path) -> None:
    """Hard-links a file or copies a link; across file systems a file is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.stat().st_mode & EXTRA_RIGHTS:
        # Nobody but root runs anything outside of pods, so nothing needs them.
        shutil.copyfile(source, target)
        target.chmod(0o755)
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def needs_of(path: Path) -> tuple[str, ...]:
    """The shared libraries that a file names; () for what is no dynamic ELF file."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size < 64:
        return ()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return elf.needed(data)


def libraries(tree: Path, kept: Iterable[str]) -> set[str]:
    """Paths of all shared libraries (files and the links to them) that the kept files need."""
    folder = tree / spec.LIBRARIES

    def needs(name: str) -> tuple[str, ...]:
        path = folder / name
        if not path.exists():
            raise UserError(f"the image lacks the library {name}", "a package changed: see KEEP in image/spec.py")
        return needs_of(path.resolve())

    direct = {name for path in kept for name in needs_of(tree / path)}
    found: set[str] = set()
    for name in elf.closure(direct.union(spec.EXTRA_LIBRARIES), needs):
        path = folder / name
        while path.is_symlink():
            found.add(str(path.relative_to(tree)))
            path = path.parent / path.readlink()
        found.add(str(path.relative_to(tree)))
    return found


def kernel_version(tree: Path) -> str:
    """The version of the only kernel in the tree."""
    versions = sorted(path.name for path in (tree / "usr/lib/modules").iterdir())
    if len(versions) != 1:
        raise UserError(
            f"the packages' tree holds {len(versions)} kernels", "only the profile names one: not mkosi.conf"
        )
    return versions[0]


def read_module(path: Path) -> bytes:
    """A module as a boot wants it: not compressed, for EROFS compresses; not signed, for the reason in spec.py."""
    data = path.read_bytes()
    data = lzma.decompress(data) if path.suffix == ".xz" else data
    return data if spec.MODULE_SIGNATURES else modules.without_signature(data)


def install_modules(tree: Path, root: Path, profile: Profile) -> list[str]:
    """The kept modules with depmod's tables; returns their paths in the root."""
    base = Path("usr/lib/modules") / kernel_version(tree)
    dependencies = modules.parse_dependencies((tree / base / "modules.dep").read_text())
    drop = [*(glob for glob, _ in spec.DROP_MODULES), *profile.dropped()]
    kept = sorted(modules.kept(dependencies, drop, profile.kept()))
    for path in kept:
        target = root / base / path.removesuffix(".xz")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read_module(tree / base / path))
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        place(tree / base / name, root / base / name)
    run([*inside(root), "/usr/sbin/depmod", base.name])
    for name in spec.DROP_TABLES:
        (root / base / name).unlink()
    return [str(base / path.removesuffix(".xz")) for path in kept]


def install_stack(stack: Path, root: Path) -> None:
    """The upstream binaries, and a link for each name of the multicall binary."""
    for name, path in spec.STACK_PLACES.items():
        place(stack / name, root / path)
    for name in spec.MULTICALL_NAMES:
        (root / spec.STACK_FOLDER / name).symlink_to(spec.MULTICALL)
        (root / "usr/bin" / name).symlink_to(f"../lib/hepto/stack/{name}")


def container_images(tree: Path) -> bytes:
    """The images that a node holds from the start, so that it needs no registry to become Ready."""
    busybox = (tree / "usr/bin/busybox").read_bytes()
    applets = tuple(Member(f"bin/{name}", target="busybox") for name in sorted(set(spec.TEST_APPLETS)))
    pause = Member("pause", (tree / "usr/bin/catatonit").read_bytes())
    return write(
        [
            ContainerImage("localhost/hepto/pause:1", (pause,), entrypoint=("/pause", "-P")),
            ContainerImage("localhost/hepto/test:1", (Member("bin/busybox", busybox), *applets), command=("/bin/sh",)),
        ]
    )


def make_links(root: Path) -> None:
    """Empty directories, links, and busybox's commands where no real one is."""
    for path in spec.DIRECTORIES:
        (root / path).mkdir(parents=True, exist_ok=True)
    for path, target in spec.LINKS.items():
        if not (root / path).is_symlink():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
    for name in spec.APPLETS:
        if not any(os.path.lexists(root / folder / name) for folder in ("usr/bin", "usr/sbin")):
            (root / "usr/bin" / name).symlink_to("busybox")


def compile_python(root: Path, paths: Iterable[str]) -> None:
    """Compiles Python with the image's own interpreter. Unchecked: a .pyc counts whatever its source's time is."""
    words = [*inside(root), f"/usr/bin/{spec.PYTHON}", "-I", "-S", "-m", "compileall", "-q", "-f"]
    try:
        run([*words, "--invalidation-mode", "unchecked-hash", *(f"/{path}" for path in paths)])
    except CommandFailedError as error:
        lines = [line.strip() for line in error.output.splitlines() if line.strip()]
        place = next((line for line in lines if "Error compiling" in line), "python").strip("* .")
        raise UserError(f"{place}: {lines[-1] if lines else 'no message'}", "correct that file") from error


def assemble(tree: Path, stack: Path, root: Path, profile: Profile = VM) -> dict[str, str]:
    """Everything that is not our code, into the empty directory `root`; returns path -> package for the report."""
    owners = owners_of(tree)
    try:
        kept = select(owners, spec.KEEP)
    except LookupError as error:
        raise UserError(f"a package has changed: {error}", "correct KEEP in image/spec.py") from error
    kept.update(spec.GENERATED)
    for path in libraries(tree, kept):
        kept.setdefault(path, owners.get(path, "libc6"))
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for path in sorted(kept):
        source = tree / path
        if source.is_symlink() or source.is_file():
            place(source, root / path)
        elif not source.is_dir():
            raise UserError(f"the packages' tree lacks {path}", "remove the cached tree (see HEPTO_CACHE), try again")
    (root / "usr/lib64/ld-linux-x86-64.so.2").symlink_to("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    make_links(root)
    install_stack(stack, root)
    kernel = f"linux-image-{kernel_version(tree)}"
    kept.update(dict.fromkeys(install_modules(tree, root, profile), kernel))
    archive = root / spec.IMAGES_FILE
    archive.parent.mkdir(parents=True)
    archive.write_bytes(container_images(tree))
    compile_python(root, [f"usr/lib/{spec.PYTHON}", spec.PACKAGES_FOLDER])
    return kept


def install_code(source: Path, root: Path) -> list[str]:
    """Our own Python and the static files; returns the folders to compile."""
    dropped = matcher(spec.CODE_DROP)
    for package, target in (("hepto", spec.PACKAGES_FOLDER), ("init", spec.PID1_FOLDER)):
        for path in sorted((source / package).rglob("*.py")):
            name = str(path.relative_to(source))
            if not dropped.match(name):
                copy(path, root / target / name)
    # What python3 runs is PID 1's entry itself: its guard must be there before anything of ours is imported.
    copy(source / "init/__main__.py", root / spec.PID1_FOLDER / "__main__.py")
    static = source / "image/trees/root"
    for path in sorted(path for path in static.rglob("*") if path.is_file()):
        copy(path, root / path.relative_to(static))
    return [f"{spec.PACKAGES_FOLDER}/hepto", spec.PID1_FOLDER]


def copy(source: Path, target: Path) -> None:
    """Copies as a new file (never through a hard link into the cache), with plain permissions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def clone(source: Path, target: Path) -> None:
    """A second tree of hard links to the same files: as fast as making the directories."""
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)


def package_of(path: str, kept: Mapping[str, str]) -> str:
    """Whose file this is: a package's, the stack's or ours; a .pyc belongs with its source, depmod's tables to the
    kernel.
    """
    if path in kept:
        return kept[path]
    if "/__pycache__/" in path:
        folder, _, name = path.rpartition("/__pycache__/")
        return kept.get(f"{folder}/{name.partition('.')[0]}.py", "hepto")
    if path.startswith((spec.STACK_FOLDER, "usr/lib/cni/", f"usr/bin/{spec.SHIM}")):
        return "stack"
    if path == spec.IMAGES_FILE:
        return "container images"
    if path.startswith("usr/lib/modules/"):
        return f"linux-image-{path.split('/')[3]}"
    return "hepto"
