"""What a built image has to be, whatever built it (marker `image`)."""

import hashlib
import json
import re
import stat
import subprocess
import tarfile
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from image.erofs import File
from image.layout import forbidden
from image.modules import name_of
from image.spec import (
    APPLETS,
    BINARIES,
    DIRECTORIES,
    FORBIDDEN,
    LIBRARIES,
    MULTICALL_NAMES,
    PACKAGES_FOLDER,
    TEST_APPLETS,
)
from image.tree import inside, needs_of
from tests.image.conftest import REPOSITORY, Tools

pytestmark = pytest.mark.image

# Called by the agent, by kubelet, by plugins or by the kernel.
COMMANDS = (
    *(
        "blkid",
        "chronyd",
        "chronyc",
        "crun",
        "e2fsck",
        "hepto",
        "losetup",
        "mkfs.ext4",
        "modprobe",
        "mount",
        "nft",
    ),
    *("nsenter", "python3", "resize2fs", "sh", "umount", "containerd-shim-runc-v2", *MULTICALL_NAMES),
)

# Loadable or built in: what the node itself, kube-proxy, portmap, Calico, Cilium and the clouds ask for.
MODULES = (
    *(
        "virtio_blk",
        "virtio_net",
        "virtio_scsi",
        "virtio_rng",
        "virtio_balloon",
        "virtio_console",
        "virtiofs",
        "qemu_fw_cfg",
    ),
    *(
        "erofs",
        "overlay",
        "ext4",
        "xfs",
        "btrfs",
        "vfat",
        "nls_ascii",
        "nls_cp437",
        "nls_iso8859_1",
        "squashfs",
        "isofs",
    ),
    *(
        "dm_mod",
        "dm_verity",
        "dm_crypt",
        "dm_snapshot",
        "dm_thin_pool",
        "loop",
        "nbd",
        "rbd",
        "nvme",
        "nvme_tcp",
        "ahci",
    ),
    *(
        "wireguard",
        "bridge",
        "veth",
        "br_netfilter",
        "vxlan",
        "geneve",
        "macvlan",
        "ipvlan",
        "dummy",
        "tun",
        "tap",
        "vrf",
    ),
    *(
        "nf_tables",
        "nft_ct",
        "nft_nat",
        "nft_masq",
        "nft_redir",
        "nft_chain_nat",
        "nft_compat",
        "nft_fib_ipv6",
        "nft_log",
    ),
    *(
        "nft_limit",
        "nft_reject_inet",
        "nft_numgen",
        "nft_tproxy",
        "nft_socket",
        "nft_flow_offload",
        "nf_conntrack_netlink",
    ),
    *("ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw", "ip_tables", "iptable_nat"),
    *(
        "xt_conntrack",
        "xt_mark",
        "xt_comment",
        "xt_addrtype",
        "xt_MASQUERADE",
        "xt_set",
        "xt_TPROXY",
        "xt_socket",
        "xt_CT",
    ),
    *("xt_multiport", "xt_nat", "xt_statistic", "xt_recent", "xt_physdev", "xt_NFLOG", "xt_bpf", "ip6t_rpfilter"),
    *("ip_set", "ip_set_hash_net", "ip_set_hash_ipport", "ip_vs", "ip_vs_rr", "ip_vs_sh", "ip_vs_wrr"),
    *("sch_netem", "sch_htb", "sch_fq", "sch_fq_codel", "sch_ingress", "sch_tbf", "cls_bpf", "cls_u32", "cls_flower"),
    *(
        "act_mirred",
        "act_bpf",
        "ip6_tunnel",
        "sit",
        "ipip",
        "xfrm_user",
        "esp6",
        "tls",
        "sctp",
        "vsock",
        "8021q",
        "bonding",
    ),
    *(
        "i6300esb",
        "softdog",
        "efivarfs",
        "ena",
        "gve",
        "hv_netvsc",
        "hv_storvsc",
        "vmxnet3",
        "vmw_pvscsi",
        "xen_netfront",
    ),
    *(
        "xen_blkfront",
        "mlx5_core",
        "button",
        "evdev",
        "ptp_kvm",
        "nfs",
        "cifs",
        "ceph",
        "iscsi_tcp",
        "kvm_intel",
        "openvswitch",
    ),
)


def test_sizes_are_within_the_target(image: Path) -> None:
    sizes = {name: (image / name).stat().st_size / 1e6 for name in ("vmlinuz", "initrd.cpio", "root.erofs")}

    assert sizes["root.erofs"] <= 190
    assert sizes["initrd.cpio"] <= 5
    assert sum(sizes.values()) <= 200


def test_checksums_are_those_of_the_files(image: Path) -> None:
    lines = [line.split("  ") for line in (image / "SHA256SUMS").read_text().splitlines()]

    wanted = {"vmlinuz", "initrd.cpio", "root.erofs", "manifest.json", "sbom.spdx.json"}
    made = {path.name for path in image.iterdir()} - {"SHA256SUMS"}
    assert wanted <= made == {name for _, name in lines}
    for digest, name in lines:
        with (image / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest, name


def test_the_manifest_knows_every_package_and_module(image: Path) -> None:
    manifest = json.loads((image / "manifest.json").read_text())

    ours = {package["name"] for package in manifest["packages"] if not package["sha256"]}
    assert ours == {"hepto-no-initramfs"}
    assert manifest["modules"]["k8s.io/kubernetes"] == manifest["stack"]["kubernetes"]
    assert "unknown" not in manifest["stack"].values()


def test_the_listing_is_what_unpacking_gives(files: dict[str, File], root: Path) -> None:
    unpacked = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_symlink() or path.is_file()}

    assert set(files) == set(unpacked)
    assert {path: file.size for path, file in files.items()} == {
        path: entry.lstat().st_size for path, entry in unpacked.items()
    }


def test_nothing_forbidden_is_in_the_root(files: dict[str, File]) -> None:
    assert forbidden(files, FORBIDDEN) == []


def test_no_file_gives_anybody_more_rights(files: dict[str, File]) -> None:
    assert [path for path, file in files.items() if file.mode & (stat.S_ISUID | stat.S_ISGID)] == []


def resolve(path: str, files: dict[str, File], folders: set[str], depth: int = 0) -> str:
    """Where a path leads in the root, every link followed."""
    assert depth < 20, path
    parts = PurePosixPath(path).parts
    for count in range(1, len(parts) + 1):
        head = str(PurePosixPath(*parts[:count]))
        if head in files and files[head].target:
            target = files[head].target
            base = PurePosixPath() if target.startswith("/") else PurePosixPath(head).parent
            words: list[str] = []
            for word in (*base.parts, *PurePosixPath(target.lstrip("/")).parts, *parts[count:]):
                words = words[:-1] if word == ".." else [*words, word]
            return resolve("/".join(words), files, folders, depth + 1)
    return path


def test_every_link_leads_somewhere(files: dict[str, File]) -> None:
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} | set(DIRECTORIES)
    volatile = ("run/", "proc/")

    broken = []
    for path, file in files.items():
        if file.target:
            end = resolve(path, files, folders)
            if end not in files and end not in folders and not end.startswith(volatile):
                broken.append((path, file.target))
    assert broken == []


def test_every_elf_file_finds_its_libraries(root: Path) -> None:
    missing = [
        (str(path.relative_to(root)), name)
        for path in root.rglob("*")
        for name in needs_of(path)
        if not (root / LIBRARIES / name).exists()
    ]

    assert missing == []


def test_python_is_compiled_and_never_checked_against_its_source(root: Path) -> None:
    sources = [
        path
        for folder in ("usr/lib/python3.13", "usr/lib/python3", "usr/lib/hepto")
        for path in (root / folder).rglob("*.py")
    ]

    stale = []
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        # PEP 552: bit 0 says that there is a hash, bit 1 that it is to be checked.
        if not compiled.exists() or compiled.read_bytes()[4:8] != b"\x01\0\0\0":
            stale.append(str(source.relative_to(root)))
    assert stale == []
    assert len(sources) > 500


IMPORT_ALL = """
import importlib, pkgutil
def walk(name):
    module = importlib.import_module(name)
    for each in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if each.name != "__main__":
            walk(f"{name}.{each.name}")
for name in ("hepto", "init", "cryptography.x509", "h11", "msgpack", "click", "prctl", "asyncio", "ssl"):
    walk(name) if name in ("hepto", "init") else importlib.import_module(name)
"""


def test_everything_of_ours_can_be_imported(root: Path) -> None:
    result = subprocess.run(
        [*inside(root), "/usr/bin/python3", "-I", "-c", IMPORT_ALL], capture_output=True, text=True, check=False
    )

    assert result.stderr == ""
    assert result.returncode == 0


def test_pins_equal_the_versions_in_the_image(root: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in project["dependencies"])
    present = {}
    for path in [*(root / PACKAGES_FOLDER).glob("*.dist-info/METADATA"), *(root / PACKAGES_FOLDER).glob("*.egg-info")]:
        text = (path / "PKG-INFO" if path.is_dir() else path).read_text()
        match = re.search(r"^Name: (\S+)$.*?^Version: (\S+)$", text, re.MULTILINE | re.DOTALL)
        assert match, path
        present[match[1].lower().replace("_", "-")] = match[2]

    # The operator's side draws its tables with rich, and makes a lab's networks with pyroute2.
    assert set(pins) - set(present) == {"pyroute2", "rich"}
    assert {name: version for name, version in pins.items() if name in present} == {
        name: version for name, version in present.items() if name in pins
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_there(command: str, files: dict[str, File]) -> None:
    assert any(f"{folder}/{command}" in files for folder in ("usr/bin", "usr/sbin"))


def test_kernel_modules_are_there_or_built_in(root: Path) -> None:
    [folder] = (root / "usr/lib/modules").iterdir()
    loadable = {name_of(path.name) for path in folder.rglob("*.ko")}
    built_in = {name_of(line) for line in (folder / "modules.builtin").read_text().splitlines()}

    missing = [name for name in MODULES if name.replace("-", "_") not in loadable | built_in]
    assert missing == []


def test_kernel_modules_are_of_the_kernel_beside_the_root(image: Path, root: Path) -> None:
    [folder] = (root / "usr/lib/modules").iterdir()

    assert json.loads((image / "manifest.json").read_text())["kernel"] == folder.name
    assert f"vermagic={folder.name} ".encode() in next(folder.rglob("erofs.ko")).read_bytes()
    assert folder.name.encode() in (image / "vmlinuz").read_bytes()


def test_stage_0_is_an_archive_with_what_it_needs(image: Path, tools: Tools) -> None:
    listed = tools.run("cpio", "-t", "--quiet", input=(image / "initrd.cpio").read_bytes()).decode().split()

    assert {"init", "bin/busybox", "dev/console", "modules/order", "proc", "sys", "root"} <= set(listed)
    assert {"modules/virtio_blk.ko", "modules/erofs.ko"} <= set(listed)


def test_stage_0_calls_only_commands_that_busybox_has(root: Path) -> None:
    text = (REPOSITORY / "image/stage0.sh").read_text()
    listed = subprocess.run([root / "usr/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout

    used = {"awk", "cp", "env", "insmod", "mount", "reboot", "sh", "sleep", "switch_root", "umount", "usleep"}
    used |= {"chroot", "grep", "hexdump", "losetup", "mkdir", "modprobe", "sort"}
    assert {word for word in used if not re.search(rf"\b{word} ", text)} == set()
    assert used <= set(listed.split())
    subprocess.run([root / "usr/bin/busybox", "sh", "-n"], input=text, text=True, check=True)


def test_busybox_has_every_command_that_is_linked_to_it(root: Path) -> None:
    listed = subprocess.run([root / "usr/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout

    assert set(APPLETS) | set(TEST_APPLETS) <= set(listed.split())


def test_the_baked_images_are_in_one_archive(root: Path) -> None:
    with tarfile.open(root / "usr/lib/hepto/images/images.tar") as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        references = [entry["RepoTags"] for entry in json.load(file)]

    assert references == [["localhost/hepto/pause:1"], ["localhost/hepto/test:1"]]


def test_image_json_names_version_time_and_stack(root: Path) -> None:
    details = json.loads((root / "usr/lib/hepto/image.json").read_text())

    assert set(details) == {"version", "built", "stack"}
    assert details["built"] > 1_700_000_000
    assert set(details["stack"]) >= {"kubernetes", "etcd", "containerd", "coredns"}


def test_the_stack_runs_under_each_of_its_names(root: Path) -> None:
    for words in (["kubelet", "--version"], ["etcd", "--version"], ["kubectl", "version", "--client"]):
        result = subprocess.run(
            [*inside(root), f"/usr/bin/{words[0]}", *words[1:]], capture_output=True, text=True, check=False
        )
        assert re.search(r"\d+\.\d+\.\d+", result.stdout), result.stderr
    assert all((root / "usr/lib/cni" / name).exists() for name in BINARIES[2:])


def test_mount_points_are_there(root: Path) -> None:
    assert [path for path in DIRECTORIES if not (root / path).is_dir()] == []
