"""What is in a node's root: data only, judged by reading, compared by tests.

Everything Debian installs is left out unless a row here keeps it; shared libraries are kept when a kept file needs
them.
So a new dependency in Debian can break a build (with the library's name), but never grow the image unseen.
"""

from dataclasses import dataclass

LABEL = "hepto-root"  # of the EROFS; stage 0 looks for it when no root= is given
PYTHON = "python3.13"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PACKAGES_FOLDER = "usr/lib/python3/dist-packages"
PID1_FOLDER = "usr/lib/hepto/pid1"
STACK_FOLDER = "usr/lib/hepto/stack"
IMAGES_FILE = "usr/lib/hepto/images/images.tar"
IMAGE_JSON = "usr/lib/hepto/image.json"
WORDS = "usr/lib/hepto/cmdline"  # what `hepto build --set` bakes in


@dataclass(frozen=True)
class Keep:
    """Files of one Debian package that stay: those that match a glob of `paths` and none of `drop` (`*` crosses
    slashes).
    """

    package: str
    paths: tuple[str, ...]
    drop: tuple[str, ...] = ()


# Python that no node runs, whichever of Debian's packages has it.
PYTHON_DROP = (
    # in Python what the interpreter has in C: imported only if that is missing
    *(f"usr/lib/python3.13/{name}.py" for name in ("_pydatetime", "_pydecimal", "_pyio")),
    # codecs of legacy encodings; those of Unicode, Latin 1 and 9 and of zip files (cp437) stay
    *(
        f"usr/lib/python3.13/encodings/{name}.py"
        for name in (
            *("big5*", "cp[0235789]*", "cp1[01]*", "cp125[013-8]", "cp424", "euc_*", "gb*", "hp_*", "hz", "iso2022_*"),
            *("iso8859_[2-9]", "iso8859_1[0-46]", "johab", "koi8_*", "kz1048", "mac_*", "mbcs", "oem", "palmos"),
            *("ptcp154", "shift_*", "tis_620"),
        )
    ),
)

KEEP: tuple[Keep, ...] = (
    Keep("base-files", ("etc/debian_version", "etc/os-release", "usr/lib/os-release")),
    Keep("busybox-static", ("usr/bin/busybox",)),
    Keep("catatonit", ("usr/bin/catatonit",)),
    Keep("chrony", ("usr/sbin/chronyd", "usr/bin/chronyc")),
    Keep("crun", ("usr/bin/crun",)),
    Keep(
        "e2fsprogs",
        (
            *("etc/mke2fs.conf", "usr/sbin/e2fsck", "usr/sbin/mke2fs", "usr/sbin/resize2fs", "usr/sbin/tune2fs"),
            *("usr/sbin/fsck.ext4", "usr/sbin/mkfs.ext4"),
        ),
    ),
    # hepto-data grows with its disk.
    Keep("fdisk", ("usr/sbin/sfdisk",)),
    Keep("kmod", ("usr/bin/kmod", "usr/sbin/*", "usr/lib/modprobe.d/*")),
    Keep("mount", ("usr/bin/mount", "usr/bin/umount", "usr/sbin/losetup")),
    Keep("netbase", ("etc/protocols", "etc/services", "etc/ethertypes")),
    Keep("nftables", ("usr/sbin/nft",)),
    Keep("openssl", ("etc/ssl/openssl.cnf", "usr/lib/ssl/cert.pem", "usr/lib/ssl/certs", "usr/lib/ssl/openssl.cnf")),
    # cryptography refuses to be imported without it.
    Keep("openssl-provider-legacy", ("usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so",)),
    Keep("tzdata", ("usr/share/zoneinfo/leap-seconds.list",)),
    # kubelet and CSI drivers call these; nsenter is what a debugging session wants first.
    Keep(
        "util-linux",
        (
            *("usr/sbin/blkid", "usr/sbin/blockdev", "usr/sbin/wipefs", "usr/bin/findmnt", "usr/bin/nsenter"),
            "usr/bin/partx",
        ),
    ),
    Keep("python3-minimal", ("usr/bin/python3",)),
    Keep("python3.13-minimal", ("usr/bin/python3.13",)),
    Keep(
        "libpython3.13-minimal",
        ("usr/lib/python3.13/*",),
        # The first is a link to a hook of Debian's crash reporter, which is not here.
        drop=("*/sitecustomize.py", *PYTHON_DROP),
    ),
    Keep(
        "libpython3.13-stdlib",
        ("usr/lib/python3.13/*",),
        drop=(
            # not for a machine without a terminal, a package manager or a browser
            *(f"usr/lib/python3.13/{name}/*" for name in ("_pyrepl", "curses", "ensurepip", "idlelib", "pydoc_data")),
            *(f"usr/lib/python3.13/{name}/*" for name in ("dbm", "tkinter", "turtledemo", "venv", "wsgiref")),
            *(f"usr/lib/python3.13/{name}/*" for name in ("test", "xmlrpc", "__phello__")),
            *(f"usr/lib/python3.13/{name}.py" for name in ("__hello__", "antigravity", "this", "turtle", "webbrowser")),
            *(f"*/lib-dynload/{name}.*" for name in ("_bz2", "_curses", "_curses_panel", "_dbm", "readline")),
            # a data base (with a library of 1 MB) and worker processes, which nothing on a node uses
            *("usr/lib/python3.13/sqlite3/*", "*/lib-dynload/_sqlite3.*", "usr/lib/python3.13/multiprocessing/*"),
            *("*/lib-dynload/_multiprocessing.*", "*/lib-dynload/_posixshmem.*"),
            *PYTHON_DROP,
            # the interpreter's own tests, and codecs of East Asian legacy encodings
            *(
                f"*/lib-dynload/{name}*"
                for name in ("_test", "_ctypes_test", "xx", "_xx", "_codecs_", "_multibytecodec")
            ),
        ),
    ),
    Keep("python3-cffi-backend", ("usr/lib/python3/dist-packages/*",)),
    Keep("python3-click", ("usr/lib/python3/dist-packages/*",)),
    Keep("python3-cryptography", ("usr/lib/python3/dist-packages/*",)),
    Keep("python3-h11", ("usr/lib/python3/dist-packages/*",), drop=("*/tests/*",)),
    Keep("python3-msgpack", ("usr/lib/python3/dist-packages/*",)),
    Keep("python3-prctl", ("usr/lib/python3/dist-packages/*",)),
)

# Made by maintainer scripts, so in no package's list; each is kept under the package that made it.
GENERATED: dict[str, str] = {"etc/ssl/certs/ca-certificates.crt": "ca-certificates"}

# Loaded with dlopen, so no file names them: glibc takes libgcc for pthread_cancel and pthread_exit.
EXTRA_LIBRARIES = ("libgcc_s.so.1",)

# Never in the root, whatever package they come from (tests look for them in the built image).
FORBIDDEN = (
    *("*/systemd/*", "*/udev/*", "*/initramfs-tools/*", "*/perl*", "usr/bin/apt*", "usr/bin/dpkg*", "var/lib/dpkg/*"),
    *("usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/info/*", "boot/*", "*/gconv/*"),
)

# Kernel modules that are not kept, by folder under kernel/ (fnmatch on the path without .ko.xz). What a kept module
# depends on stays in any case. The cloud kernel has no drivers of desktops to begin with.
DROP_MODULES: tuple[tuple[str, str], ...] = (
    ("drivers/comedi/*", "data acquisition cards"),
    ("drivers/hid/*", "keyboards and game controllers"),
    ("drivers/infiniband/*", "RDMA: no pod of ours can use it without user space that is not here"),
    ("drivers/media/*", "television"),
    ("drivers/net/wwan/*", "mobile modems"),
    ("drivers/net/mhi_net", "mobile modems"),
    ("drivers/nvme/host/nvme-rdma", "RDMA"),
    ("net/sunrpc/xprtrdma/*", "RDMA"),
    ("drivers/input/rmi4/*", "touchpads"),
    ("drivers/input/mousedev", "pointers"),
    ("drivers/bus/*", "mobile modems"),
    ("drivers/soundwire/*", "audio"),
    ("drivers/hwtracing/*", "tracing hardware"),
    ("drivers/leds/*", "laptops"),
    ("drivers/thermal/*", "laptops"),
    ("drivers/platform/*", "laptops"),
    ("drivers/power*", "laptops"),
    ("drivers/mfd/*", "laptops"),
    ("drivers/misc/cardreader/*", "laptops"),
    ("drivers/cxl/*", "memory expanders"),
    ("drivers/dax/*", "memory expanders"),
    ("drivers/tee/*", "ARM firmware"),
    ("drivers/uio/*", "field buses"),
    ("drivers/vdpa/*", "hosts of virtual machines"),
    ("drivers/target/*", "serving iSCSI"),
    ("drivers/nvme/target/*", "serving NVMe"),
    ("drivers/vhost/vhost_scsi", "serving SCSI"),
    ("drivers/firmware/google/*", "Chromebooks"),
    ("drivers/video/*", "frame buffers; the console is serial"),
    ("drivers/block/drbd/*", "replication that needs its own tools"),
    ("drivers/block/aoe/*", "ATA over Ethernet"),
    ("drivers/block/xen-blkback/*", "hosts of virtual machines"),
    ("drivers/net/xen-netback/*", "hosts of virtual machines"),
    ("drivers/xen/xen-*back*", "hosts of virtual machines"),
    ("drivers/scsi/scsi_debug", "a test device"),
    ("drivers/block/null_blk/*", "a test device"),
    ("crypto/tcrypt", "a test"),
    ("net/core/pktgen", "a test's traffic"),
    ("lib/*-error-inject", "faults for tests"),
    ("mm/hwpoison-inject", "faults for tests"),
    ("drivers/scsi/ch", "tape changers"),
    ("drivers/scsi/st", "tapes"),
    ("drivers/scsi/ipr", "POWER servers"),
    ("drivers/md/bcache/*", "needs its own tools"),
    ("drivers/md/dm-vdo/*", "needs its own tools"),
    ("drivers/md/raid*", "the machine's disk is one device"),
    ("drivers/md/dm-raid", "the machine's disk is one device"),
    ("fs/bcachefs/*", "no tools in trixie"),
    ("fs/nfsd/*", "serving files"),
    ("fs/smb/server/*", "serving files"),
    ("fs/ntfs3/*", "desktops"),
    ("fs/exfat/*", "memory cards"),
    ("fs/orangefs/*", "rare"),
    ("fs/romfs/*", "rare"),
    ("fs/sysv/*", "rare"),
    ("fs/udf/*", "optical disks"),
    ("fs/zonefs/*", "rare"),
    ("fs/cachefiles/*", "needs its own daemon"),
    ("fs/nls/mac-*", "desktops"),
    ("fs/nls/nls_cp[!4]*", "only the code page of FAT (437) is wanted"),
    ("fs/nls/nls_euc-jp", "legacy encodings"),
    ("fs/nls/nls_koi8*", "legacy encodings"),
    ("fs/nls/nls_iso8859-[!1]*", "legacy encodings"),
    ("fs/nls/nls_iso8859-1[0-9]*", "legacy encodings"),
    ("net/dccp/*", "a dead protocol"),
    ("net/rds/*", "Oracle's clusters"),
    ("net/smc/*", "IBM Z"),
    ("net/tipc/*", "telephone exchanges"),
    ("sound/*", "audio"),
)

# What depmod writes or reads and a node does not, for libkmod reads the .bin files only. Other texts make stage 0.
DROP_TABLES = ("modules.order", "modules.symbols")

# Debian signs each module with ECDSA, and to verify one takes the kernel 100 million instructions: 0.03 s natively and
# 0.1 s in emulation, for each of a node's dozens of modules. Without lockdown (Secure Boot) the kernel loads unsigned
# modules as well, so there the signatures protect nothing; it notes taint E. Formats for Secure Boot have to keep them.
MODULE_SIGNATURES = False

# What stage 0 loads before it looks for the root; what they depend on comes from modules.dep.
# The first is built into the cloud kernel; in the full one libcrc32c wants it, and only its softdep says so.
INITRD_MODULES = ("crc32c_generic", "virtio_blk", "erofs")

# What stage 0 has besides for a verified root on a disk of the machine: dm-verity, the drivers of disks that the cloud
# kernel has (NVMe is built in), loaded where there is such a device, and quick SHA-256 where the processor has it.
VERITY_PROGRAMS = ("usr/sbin/dmsetup", "usr/sbin/findfs")
VERITY_MODULES = (*INITRD_MODULES, "dm_verity")
DISK_MODULES = (
    *("virtio_scsi", "sd_mod", "ahci", "ata_piix", "xen-blkfront", "hv_storvsc", "vmw_pvscsi"),
    "sha256_ssse3",
)

# Empty directories: mount points of PID 1's binds, of the data disk and of the kernel's file systems.
DIRECTORIES = (
    *("dev", "proc", "run", "sys", "tmp", "mnt", "root"),
    *("etc/cni/net.d", "etc/kubernetes", "opt/cni/bin"),
    *(
        "var/lib/calico",
        "var/lib/cni",
        "var/lib/containerd",
        "var/lib/hepto",
        "var/lib/kubelet",
        "var/lib/chrony",
        "var/log",
        "var/cache",
    ),
)

LINKS: dict[str, str] = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "etc/hostname": "/run/hepto/etc/hostname",
    "etc/hosts": "/run/hepto/etc/hosts",
    "etc/machine-id": "/run/hepto/etc/machine-id",
    "etc/resolv.conf": "/run/hepto/etc/resolv.conf",
    "etc/mtab": "../proc/self/mounts",
    "var/run": "../run",
    "var/lock": "../run/lock",
    "var/tmp": "../tmp",
    f"{PACKAGES_FOLDER}/init": "../../hepto/pid1/init",
}

# Commands that a person at the debugging console, or a plugin's script, expects; busybox is in the image for stage 0
# anyway.
APPLETS = (
    *(
        "sh",
        "ash",
        "awk",
        "basename",
        "cat",
        "chmod",
        "chown",
        "clear",
        "cp",
        "cut",
        "date",
        "dd",
        "df",
        "dirname",
        "dmesg",
    ),
    *(
        "du",
        "echo",
        "env",
        "expr",
        "false",
        "find",
        "free",
        "grep",
        "gunzip",
        "gzip",
        "head",
        "hexdump",
        "hostname",
        "id",
        "ip",
    ),
    *(
        "kill",
        "killall",
        "less",
        "ln",
        "ls",
        "lsmod",
        "mkdir",
        "mknod",
        "mktemp",
        "more",
        "mv",
        "nc",
        "nproc",
        "nslookup",
        "od",
    ),
    *(
        "pidof",
        "ping",
        "ping6",
        "printf",
        "ps",
        "pwd",
        "readlink",
        "realpath",
        "rm",
        "rmdir",
        "sed",
        "seq",
        "sha256sum",
        "sleep",
    ),
    *(
        "sort",
        "stat",
        "sync",
        "tail",
        "tar",
        "tee",
        "test",
        "time",
        "timeout",
        "top",
        "touch",
        "tr",
        "true",
        "truncate",
        "tty",
    ),
    *(
        "uname",
        "uniq",
        "uptime",
        "vi",
        "watch",
        "wc",
        "wget",
        "which",
        "xargs",
        "yes",
        "zcat",
        "[",
        "netstat",
        "traceroute6",
    ),
)

# The test image: what pods of the tests and of a first look around call.
TEST_APPLETS = (*APPLETS, "httpd", "mount", "umount", "udhcpc6", "whoami")

# The stack: names of the multicall binary, and binaries of their own.
MULTICALL = "stack"
MULTICALL_NAMES = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
    *("containerd", "ctr", "coredns"),
)
SHIM = "containerd-shim-runc-v2"
PLUGINS = ("host-local", "loopback", "portmap", "ptp")
BINARIES = (MULTICALL, SHIM, *PLUGINS)
STACK_PLACES: dict[str, str] = {
    MULTICALL: f"{STACK_FOLDER}/{MULTICALL}",
    SHIM: f"usr/bin/{SHIM}",
    **{name: f"usr/lib/cni/{name}" for name in PLUGINS},
}

# Python of ours that a node never runs.
CODE_DROP = (
    *("hepto/lab/*", "hepto/host/*", "hepto/cli/lab*.py", "hepto/cli/host*.py", "hepto/cli/build.py"),
    *("hepto/cli/manual.py", "hepto/edge/loop.py", "hepto/edge/namespaces.py", "*/__pycache__/*"),
    *("hepto/edge/apt.py", "hepto/edge/cache.py", "hepto/edge/command.py", "hepto/edge/debian.py"),
)
