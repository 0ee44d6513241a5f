"""A plain Debian server as a machine of the lab: the host of host mode, with systemd, networkd and what a wheel of
hepto depends on from Debian's packages. The lab's channel runs on it as a service, so that tests look inside as into
any other machine.

    stage 0 -> /usr/lib/hepto/pid1 (a line that hands over) -> an overlay in memory over the EROFS -> systemd

It boots the image's own kernel, with all of Debian's modules for it.
"""

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hepto.edge.cache import cache_directory, ensure, key_of
from hepto.edge.debian import ensure_mkosi
from hepto.lab import boot, plan
from hepto.lab.boot import CHECKSUMS
from image import output, spec, tree
from image.manifest import checksums
from image.mkosi import TREE, Builder
from tests.vm import harness
from tests.vm.harness import ROOT, Node

HERE = Path(__file__).parent / "debian"
FILES_OF_BOOT = ("vmlinuz", "initrd.cpio")
PACKAGES = "usr/lib/python3/dist-packages"
IMAGE = "/opt/hepto/root.erofs"
HOSTNAME = "server"
DATA = "/var/lib/hepto"
HAND_OVER = 'import os\nos.execv("/bin/sh", ["sh", "-e", "/usr/lib/hepto/handover"])\n'
SCRIPT = f"""\
mount -t proc proc /proc
modprobe overlay
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
mke2fs -q /dev/vdb
mount -o noatime /dev/vdb /mnt/root{DATA}
mount --move /dev /mnt/root/dev
umount /proc
exec switch_root /mnt/root /usr/lib/systemd/systemd
"""
COMMAND = '#!/bin/sh\nexec /usr/bin/python3 -I -m hepto "$@"\n'
CHANNEL = """\
[Service]
ExecStart=/usr/bin/python3 -I -S /usr/lib/hepto/channel
Restart=always
"""
NETWORK = """\
[Match]
Type=ether
Name=e*
[Network]
DHCP=no
IPv6AcceptRA=yes
[IPv6AcceptRA]
DHCPv6Client=no
"""
WANTED = {
    "default.target": "/usr/lib/systemd/system/multi-user.target",
    "multi-user.target.wants/channel.service": "/etc/systemd/system/channel.service",
    "multi-user.target.wants/systemd-networkd.service": "/usr/lib/systemd/system/systemd-networkd.service",
    "serial-getty@ttyS0.service": "/dev/null",
    "getty@tty1.service": "/dev/null",
    "systemd-firstboot.service": "/dev/null",
}


class HostBuilder(Builder):
    """mkosi for the packages of the server, with hepto's tools and sources."""

    def packages(self) -> Path:
        """The tree of packages; made on first use."""
        key = key_of("host", self.mkosi.version, self.origin.identity, (HERE / "mkosi.conf").read_bytes())
        options = ("--tools-tree", str(self.tools()))
        made = ensure(self.cache / "host-packages", key, lambda target: self._run(HERE, target, options))
        return made / TREE


def image(given: Path) -> Path:
    """A directory that the lab can boot, with the root of the image in `given` inside."""
    cache = cache_directory()
    builder = HostBuilder(cache, ensure_mkosi(cache))
    code = [path.read_bytes() for name in ("hepto", "init") for path in sorted((ROOT / name).rglob("*.py"))]
    digests = [output.digest_of(given / name) for name in ("root.erofs", *FILES_OF_BOOT)]
    key = key_of("host-root", builder.packages().parent.name, Path(__file__).read_bytes(), *digests, *code)

    def make(target: Path) -> None:
        fill(builder, given, target / "root")
        output.make_erofs(builder.tools(), target / "root", target / "root.erofs", 1)
        shutil.rmtree(target / "root")
        for name in FILES_OF_BOOT:
            shutil.copyfile(given / name, target / name)
        sums = {name: output.digest_of(target / name) for name in ("root.erofs", *FILES_OF_BOOT)}
        (target / CHECKSUMS).write_text(checksums(sums))

    return ensure(cache / "host-root", key, make, keep=1)


def fill(builder: HostBuilder, given: Path, root: Path) -> None:
    """The server's root."""
    packages = builder.packages()
    unwanted = shutil.ignore_patterns("doc", "locale", "modules")
    shutil.copytree(packages, root, symlinks=True, ignore=unwanted)
    shutil.copytree(builder.tree() / TREE / "usr/lib/modules", root / "usr/lib/modules", symlinks=True)
    for name in ("hepto", "init"):
        shutil.copytree(ROOT / name, root / PACKAGES / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / PACKAGES / "init", root / "usr/lib/hepto/channel/init")
    for place in (DATA, "/proc", "/sys", "/dev", "/run", "/tmp", "/mnt", "/opt/hepto"):
        (root / place.strip("/")).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given / "root.erofs", root / IMAGE.strip("/"))
    texts = {
        spec.IMAGE_JSON: "{}\n",
        "usr/lib/hepto/pid1/__main__.py": HAND_OVER,
        "usr/lib/hepto/channel/__main__.py": "from init.channel import main\nmain()\n",
        "usr/lib/hepto/handover": SCRIPT,
        "usr/bin/hepto": COMMAND,
        "etc/systemd/system/channel.service": CHANNEL,
        "etc/systemd/network/10-all.network": NETWORK,
        "etc/hostname": f"{HOSTNAME}\n",
        "etc/machine-id": f"{secrets.token_hex(16)}\n",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755 if text.startswith("#!") else 0o644)
    for path, target in WANTED.items():
        link = root / "etc/systemd/system" / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    tree.compile_python(root, [PACKAGES, "usr/lib/hepto/channel"])


@contextlib.contextmanager
def host(name: str, **wish: Any) -> Iterator[Node]:
    """A booted server whose channel answers."""
    where = image(harness.image())
    key = secrets.token_hex(32)
    options = ("net.ifnames=0", *wish.pop("options", ()))
    lab = plan.lab(plan.Wish(name=name, image=str(where), options=options, **wish), harness.qemu(where), key)
    with contextlib.ExitStack() as stack:
        with boot.turn(cache_directory(), lab.emulator.accelerator, harness.Quiet()):
            nodes = stack.enter_context(harness.running(lab, key))
            server = nodes["one"]
            harness.eventually(lambda: server.run("/bin/true").status == 0, "the server's channel answers")
            harness.eventually(
                lambda: "2001:db8:1:" in server.sh("ip -6 address show dev eth0"), "the server has an address"
            )
        yield server


def listed(server: Node) -> dict[str, dict[str, Any]]:
    """`hepto list`, by name."""
    found = json.loads(server.sh("hepto list --json"))
    return {node["name"]: node for node in found}
