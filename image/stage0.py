"""Stage 0 as archives: what every format has in its initramfs, and what a verified root adds to it.

Promises: bytes that follow from the trees alone. A later archive of one initramfs outranks an earlier one, file by file
(the kernel unpacks them one after the other), so what is added repeats nothing but the list of modules.
"""

from collections.abc import Iterable
from pathlib import Path

from image import initrd, modules, spec, tree
from image.initrd import Entry
from image.layout import matcher

SCRIPT = Path(__file__).parent / "stage0.sh"
LINKER = "lib64/ld-linux-x86-64.so.2"


def plain(root: Path, kernel: str) -> bytes:
    """The initramfs: busybox, the script, and the modules without which the root cannot be seen."""
    return initrd.write(
        [
            initrd.file("init", SCRIPT.read_bytes(), 0o755),
            initrd.file("bin/busybox", (root / "usr/bin/busybox").read_bytes(), 0o755),
            *_modules(root, kernel, spec.INITRD_MODULES),
            *(initrd.directory(name) for name in ("medium", "proc", "root", "run", "sys")),
            # The kernel opens it for stage 0 before anything is mounted.
            initrd.character_device("dev/console", 5, 1),
        ]
    )


def verified(packages: Path, root: Path, kernel: str, disks: Iterable[str] = (), always: Iterable[str] = ()) -> bytes:
    """What is added for a root on a disk of the machine, with dm-verity: its programs, and drivers of disks by alias.

    `packages` is the tree of packages, for the root itself has neither dmsetup nor findfs; `disks` are the drivers that
    the profile has besides, `always` further modules that are loaded whatever there is.
    """
    libraries = tree.libraries(packages, spec.VERITY_PROGRAMS)
    return initrd.write(
        [
            *(initrd.file(path, (packages / path).read_bytes(), 0o755) for path in spec.VERITY_PROGRAMS),
            *_libraries(packages, libraries),
            *_modules(root, kernel, (*spec.VERITY_MODULES, *always), spec.INITRD_MODULES),
            *_drivers(root, kernel, (*spec.DISK_MODULES, *disks)),
        ]
    )


def embedded(erofs: Path, root: Path, kernel: str) -> bytes:
    """The root itself, stored as it is: the kernel unpacks it, and stage 0 mounts it from there."""
    return initrd.write(
        [
            initrd.file("root.erofs", erofs.read_bytes()),
            *(initrd.file(f"modules/{name}", data) for name, data in _read(root, kernel, ("loop",))),
        ]
    )


def _read(root: Path, kernel: str, names: Iterable[str]) -> list[tuple[str, bytes]]:
    """File name and content of these modules and of all they need, in the order of loading."""
    folder = root / "usr/lib/modules" / kernel
    dependencies = modules.parse_dependencies((folder / "modules.dep").read_text())
    order = modules.load_order(dependencies, names)
    return [(path.rpartition("/")[2], (folder / path).read_bytes()) for path in order]


def _modules(root: Path, kernel: str, names: Iterable[str], there: Iterable[str] = ()) -> list[Entry]:
    """Modules that are always loaded, and the list that says in which order. `there`: in an earlier archive already."""
    found = _read(root, kernel, names)
    known = {name for name, _ in _read(root, kernel, there)}
    order = "".join(f"{name}\n" for name, _ in found).encode()
    return [
        initrd.file("modules/order", order),
        *(initrd.file(f"modules/{name}", data) for name, data in found if name not in known),
    ]


def _drivers(root: Path, kernel: str, names: Iterable[str]) -> list[Entry]:
    """Modules for modprobe, with tables that know no others."""
    folder = Path("lib/modules") / kernel
    source = root / "usr" / folder
    dependencies = modules.parse_dependencies((source / "modules.dep").read_text())
    paths = modules.load_order(dependencies, names)
    aliases = modules.aliases_of((source / "modules.alias").read_text(), paths)
    table = "".join(f"{path}: {' '.join(dependencies[path])}\n" for path in paths)
    return [
        initrd.file(f"{folder}/modules.dep", table.encode()),
        initrd.file(f"{folder}/modules.alias", aliases.encode()),
        *(initrd.file(f"{folder}/{path}", (source / path).read_bytes()) for path in paths),
    ]


def _libraries(packages: Path, paths: Iterable[str]) -> list[Entry]:
    """Shared libraries under the names that programs ask for, and the dynamic linker."""
    wanted = matcher(("*.so.*", "*.so"))
    names = sorted(path for path in paths if wanted.match(path))
    return [
        initrd.link(LINKER, f"/{spec.LIBRARIES}/{LINKER.rpartition('/')[2]}"),
        *(
            initrd.link(path, (packages / path).readlink().name)
            if (packages / path).is_symlink()
            else initrd.file(path, (packages / path).read_bytes(), 0o755)
            for path in names
        ),
        initrd.link("lib/x86_64-linux-gnu", f"/{spec.LIBRARIES}"),
    ]
