"""The baseline of bench/ready.py as an image: hepto's root, stack and flags under the prototype's PID 1.

Promises: argv, environment and files of every process are those of hepto.kube.plan, so that only order and supervision
differ. Certificates are made on the host by hepto.pki and lie on the data disk, as the prototype had them baked in.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import guest, roots
from hepto.address import AddressPlan
from hepto.edge.cache import ensure, key_of
from hepto.kube import health
from hepto.kube.parameters import KubeParameters
from hepto.kube.plan import plan as kube_plan
from hepto.pki.driver import Pki
from hepto.pki.profiles import Subject
from image import output, spec, tree
from init.contract import paths

DATA = f"{paths.DATA}/{guest.CLUSTER}/{guest.NODE}"
ONESHOT = "images"
PROGRAM = Path(__file__).parent / "programs/prototype.py"

MODULES = (
    *("virtio_net", "virtio_blk", "overlay", "br_netfilter", "bridge", "veth", "wireguard", "nf_tables", "nft_masq"),
    *("nf_conntrack", "dummy", "nft_chain_nat"),
)
VARIABLES = (
    *("net.ipv6.conf.all.forwarding=1", "vm.overcommit_memory=1", "kernel.panic=10", "kernel.panic_on_oops=1"),
    *("kernel.keys.root_maxkeys=1000000", "kernel.keys.root_maxbytes=25000000"),
)


def parameters() -> KubeParameters:
    """A node like the one that bench/ready.py boots with hepto."""
    addresses = AddressPlan(guest.CLUSTER)
    return KubeParameters(
        plan=addresses,
        node=guest.NODE,
        master=True,
        worker=True,
        data=DATA,
        masters=(addresses.node(guest.NODE),),
        resolvers=("2001:db8:1::1",),
    )


def commands(wanted: KubeParameters) -> list[str]:
    """What the prototype does with a shell each before it starts anything."""
    binds = []
    for source, target in paths.WRITABLE:
        binds.append(f"mkdir -p {DATA}/{source} && mount --bind {DATA}/{source} {target}")
    return [
        "mount -t proc proc /proc",
        "mount -t sysfs sys /sys",
        "mkdir -p /dev/pts /dev/shm && mount -t devpts devpts /dev/pts && mount -t tmpfs shm /dev/shm",
        "mount -t tmpfs run /run && mkdir -p /run/log",
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        "mount -t bpf bpf /sys/fs/bpf",
        "mount -t tmpfs tmp /tmp",
        "mount --make-rshared /",
        f"hostname {guest.NODE}",
        *(f"modprobe {name}" for name in MODULES),
        *(f"busybox sysctl -w {pair}" for pair in VARIABLES),
        "ip link set lo up",
        "ip link set eth0 up",
        "ip link add wg0 type wireguard && ip link set wg0 mtu 1420 up",
        f"ip -6 addr add {wanted.address}/128 dev wg0",
        "mount -t ext4 /dev/vdb /var/lib/hepto",
        *binds,
        "mkdir -p /run/hepto/etc && echo '::1 localhost' > /run/hepto/etc/hosts && echo one > /run/hepto/etc/hostname",
        "echo nameserver 2001:db8:1::1 > /run/hepto/etc/resolv.conf",
        "echo b0070000000000000000000000000001 > /run/hepto/etc/machine-id",
    ]


def description() -> dict[str, Any]:
    """prototype.json."""
    wanted = parameters()
    plan = kube_plan(wanted)
    services = {
        name: {"argv": service.argv, "env": dict(service.env)} for name, service in sorted(plan.services.items())
    }
    images = services.pop(ONESHOT)
    probe = health.node_ready(wanted)
    url = urlsplit(probe.url)
    return {
        "commands": commands(wanted),
        "directories": [(directory.path, directory.mode) for directory in plan.directories],
        "files": [(file.path, file.mode, base64.b64encode(file.data).decode()) for file in plan.files],
        "services": services,
        "images": images,
        "probe": {
            "host": url.hostname,
            "port": url.port,
            "path": url.path,
            "authority": probe.authority,
            "pair": probe.pair,
        },
    }


def image(given: roots.Given) -> Path:
    """A directory that the lab can boot."""
    text = json.dumps(description(), indent=1)
    boot = [output.digest_of(given.image / file) for file in (*roots.FILES_OF_BOOT, "root.erofs")]
    key = key_of(text, PROGRAM.read_bytes(), Path(roots.__file__).read_bytes(), *boot)

    def make(target: Path) -> None:
        root = target / "root"
        roots.extract(given, root)
        tree.copy(PROGRAM, root / spec.PID1_FOLDER / "__main__.py")
        (root / "usr/lib/hepto/prototype.json").write_text(text)
        tree.compile_python(root, [spec.PID1_FOLDER])
        roots.finish(given, target)

    return ensure(given.cache / "bench-prototype", key, make, keep=1)


def certificates(directory: Path) -> Path:
    """The content of the data disk: the certificates of a one-node cluster."""
    wanted = parameters()
    data = directory / guest.CLUSTER / guest.NODE
    data.mkdir(parents=True)
    subject = Subject(
        cluster=guest.CLUSTER,
        node=guest.NODE,
        address=wanted.address,
        master=True,
        worker=True,
        kubernetes_service=wanted.plan.kubernetes_service,
    )
    Pki(str(data), subject).establish(datetime.now(UTC), plausible=True)
    return directory
