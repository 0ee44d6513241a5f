"""The roots that hepto is measured against: Debian's systemd (whole and stripped) and busybox init.

Promises: each boots with the kernel, the stage 0 and the kernel modules of the hepto image it is compared with, from an
EROFS of the same options; each is cached by its inputs. Nothing of this is ever part of hepto's image.

    busybox           init and a script: mounts, two modules, e2fsck, the milestone's program
    systemd-stripped  systemd with three units of ours that do the same; no udev, journal or networkd. What systemd
                      itself costs, and nothing that anybody runs
    systemd           as Debian installs it: udev, journal, tmpfiles, networkd. What does for a machine what hepto does
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hepto.edge.cache import ensure, key_of
from hepto.edge.command import run
from hepto.edge.debian import ensure_mkosi
from hepto.lab.boot import CHECKSUMS
from image import output, spec, tree
from image.manifest import checksums
from image.mkosi import TREE, Builder

HERE = Path(__file__).parent
MILESTONE = "usr/bin/milestone"
STAGE0_EXPECTS = "usr/bin/python3"
FILES_OF_BOOT = ("vmlinuz", "initrd.cpio")

MACHINE_ID = "b0070000000000000000000000000001\n"

RCS = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
modprobe virtio_net
e2fsck -p /dev/vdb
mount -t ext4 -o noatime /dev/vdb /var/lib/hepto
"""

BUSYBOX: Mapping[str, str] = {
    "etc/inittab": "::sysinit:/etc/rcS\n::respawn:/usr/bin/milestone\n",
    "etc/rcS": RCS,
}

STRIPPED: Mapping[str, str] = {
    "etc/systemd/system/bench.target": "[Unit]\nWants=link.service data.service milestone.service\n",
    "etc/systemd/system/link.service": """\
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/sbin/modprobe virtio_net
""",
    "etc/systemd/system/data.service": """\
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=-/usr/sbin/e2fsck -p /dev/vdb
ExecStart=/usr/bin/mount -t ext4 -o noatime /dev/vdb /var/lib/hepto
""",
    "etc/systemd/system/milestone.service": """\
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/milestone
Restart=always
""",
}

WHOLE: Mapping[str, str] = {
    "etc/fstab": "LABEL=hepto-data /var/lib/hepto ext4 noatime 0 2\n",
    "etc/systemd/system/milestone.service": """\
[Unit]
RequiresMountsFor=/var/lib/hepto
[Service]
ExecStart=/usr/bin/milestone
Restart=always
[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/network/10-all.network": """\
[Match]
Type=ether
[Network]
DHCP=no
IPv6AcceptRA=yes
[IPv6AcceptRA]
DHCPv6Client=no
""",
}


@dataclass(frozen=True)
class Given:
    """What the baselines share with hepto: its image, and the cache that it was built from."""

    image: Path
    cache: Path

    def builder(self) -> Builder:
        """mkosi as `hepto build` runs it."""
        return Builder(self.cache, ensure_mkosi(self.cache))


class SystemdBuilder(Builder):
    """mkosi for the packages of the systemd baselines, with hepto's tools and sources."""

    def packages(self) -> Path:
        """The tree of packages; made on first use."""
        configuration = HERE / "systemd"
        key = key_of("bench", self.mkosi.version, self.origin.identity, (configuration / "mkosi.conf").read_bytes())
        options = ("--tools-tree", str(self.tools()))
        made = ensure(self.cache / "bench-packages", key, lambda target: self._run(configuration, target, options))
        return made / TREE


def compile_program(name: str, target: Path) -> None:
    """One of the C programs in programs/, static, so that it runs in any root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["gcc", "-O2", "-Wall", "-static", "-s", "-o", target, HERE / f"programs/{name}.c"])


def put(root: Path, files: Mapping[str, str]) -> None:
    """Text files into a root; what is below another place than /etc/systemd or starts with #! is executable."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(text)
        target.chmod(0o755 if text.startswith("#!") else 0o644)


def programs(root: Path, init: str) -> None:
    """The milestone, the way from stage 0 to /sbin/init, and what stage 0 knows a root by."""
    put(root, {spec.IMAGE_JSON: "{}\n"})
    compile_program("milestone", root / MILESTONE)
    (root / STAGE0_EXPECTS).unlink(missing_ok=True)
    compile_program("handover", root / STAGE0_EXPECTS)
    link = root / "usr/sbin/init"
    link.unlink(missing_ok=True)
    link.symlink_to(init)


def busybox_root(given: Given, root: Path) -> None:
    """hepto's own packages and modules with busybox as init: what is not read costs nothing."""
    base = newest_base(given.cache)
    tree.clone(base, root)
    for path in (spec.STACK_FOLDER, "usr/lib/hepto/images", f"usr/lib/{spec.PYTHON}", "usr/lib/python3"):
        shutil.rmtree(root / path)
    put(root, BUSYBOX)
    programs(root, "/usr/bin/busybox")


def newest_base(cache: Path) -> Path:
    """The assembled base of the latest `hepto build`: Debian's files, modules and the stack, without our code."""
    entries = [path for path in (cache / "base").iterdir() if (path / "root").is_dir()]
    return max(entries, key=lambda path: path.stat().st_mtime) / "root"


def systemd_root(given: Given, root: Path) -> None:
    """Debian's systemd with hepto's kernel modules."""
    packages = SystemdBuilder(given.cache, ensure_mkosi(given.cache)).packages()
    shutil.copytree(packages, root, symlinks=True, ignore=lambda folder, _: _unwanted(Path(folder), packages))
    modules = newest_base(given.cache) / "usr/lib/modules"
    shutil.rmtree(root / "usr/lib/modules", ignore_errors=True)
    shutil.copytree(modules, root / "usr/lib/modules", symlinks=True)
    for path in ("var/lib/hepto", "proc", "sys", "dev", "run", "tmp"):
        (root / path).mkdir(parents=True, exist_ok=True)
    put(root, {"etc/machine-id": MACHINE_ID, "etc/hostname": "bench\n"})
    programs(root, "/usr/lib/systemd/systemd")


def _unwanted(folder: Path, packages: Path) -> list[str]:
    relative = folder.relative_to(packages)
    if relative == Path("var/lib/dpkg") or relative == Path("usr/share/doc"):
        return [path.name for path in folder.iterdir()]
    return []


def stripped_root(given: Given, root: Path) -> None:
    """systemd with our three units."""
    systemd_root(given, root)
    put(root, STRIPPED)
    default = root / "etc/systemd/system/default.target"
    default.unlink(missing_ok=True)
    default.symlink_to("bench.target")


def whole_root(given: Given, root: Path) -> None:
    """systemd as Debian installs it, with networkd on and no login prompt (hepto has none either)."""
    systemd_root(given, root)
    put(root, WHOLE)
    units = root / "etc/systemd/system"
    for name, folder, unit in (
        ("default.target", "", "/usr/lib/systemd/system/multi-user.target"),
        ("milestone.service", "multi-user.target.wants", "/etc/systemd/system/milestone.service"),
        ("systemd-networkd.service", "multi-user.target.wants", "/usr/lib/systemd/system/systemd-networkd.service"),
        ("serial-getty@ttyS0.service", "", "/dev/null"),
        ("getty@tty1.service", "", "/dev/null"),
        ("systemd-firstboot.service", "", "/dev/null"),
    ):
        link = units / folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(unit)


STAMP = """

# bench: each line begins with the guest's clock and the processor's idle time
_plain_line = Console.line


def _stamped_line(self: Console, text: str) -> None:
    with open("/proc/uptime") as file:
        idle = file.read().split()[1]
    import time

    _plain_line(self, f"up={time.clock_gettime(time.CLOCK_BOOTTIME):.3f} idle={idle} {text}")


Console.line = _stamped_line
"""


def extract(given: Given, root: Path) -> None:
    """The image's own root, as files."""
    tools = given.builder().tools()
    libraries = tools / spec.LIBRARIES
    words: list[str | Path] = [libraries / "ld-linux-x86-64.so.2", "--library-path", libraries]
    run([*words, tools / "usr/bin/fsck.erofs", f"--extract={root}", "--force", given.image / "root.erofs"])


def hepto_root(given: Given, root: Path) -> None:
    """The image's own root with one file changed: PID 1's console lines bear the time, which they do not by nature."""
    extract(given, root)
    console = root / spec.PID1_FOLDER / "init/console.py"
    console.write_text(console.read_text() + STAMP)
    tree.compile_python(root, [spec.PID1_FOLDER])


Maker = Callable[[Given, Path], None]
"""Puts a root into a directory that is not there yet."""
MAKERS: Mapping[str, Maker] = {
    "hepto": hepto_root,
    "busybox": busybox_root,
    "systemd-stripped": stripped_root,
    "systemd": whole_root,
}


def image(given: Given, name: str) -> Path:
    """A directory that the lab can boot: hepto's kernel and stage 0 with the baseline's root."""
    return bootable(given, name, MAKERS[name], from_image=name == "hepto")


def bootable(given: Given, name: str, maker: Maker, *sources: Path, from_image: bool) -> Path:
    """The same with another root, made of `sources` too. `from_image`: of the image's own root."""
    own = (Path(__file__), *sorted(HERE.glob("programs/*.c")), *sorted(HERE.glob("systemd/*")), *sources)
    inputs = [path.read_bytes() for path in own]
    shared = (*FILES_OF_BOOT, "root.erofs") if from_image else FILES_OF_BOOT
    boot = [output.digest_of(given.image / file) for file in shared]
    key = key_of(name, *boot, newest_base(given.cache).parent.name, *inputs)

    def make(target: Path) -> None:
        maker(given, target / "root")
        finish(given, target)

    return ensure(given.cache / f"bench-{name}", key, make, keep=1)


def finish(given: Given, target: Path) -> None:
    """An image of `target`/root, which goes, and of the files that hepto's image boots with."""
    output.make_erofs(given.builder().tools(), target / "root", target / "root.erofs", 1)
    shutil.rmtree(target / "root")
    for file in FILES_OF_BOOT:
        shutil.copyfile(given.image / file, target / file)
    digests = {name: output.digest_of(target / name) for name in ("root.erofs", *FILES_OF_BOOT)}
    (target / CHECKSUMS).write_text(checksums(digests))
