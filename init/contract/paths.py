"""Where things are on a node: every path that PID 1 and the agent share, once.

Socket paths stay below the 107 characters of sockaddr_un (unix(7)).
"""

import os

RUN = "/run/hepto"
SERVICES = f"{RUN}/services"
STATUS = f"{RUN}/status"
BOOT = f"{RUN}/boot.json"
BOOT_BEFORE = f"{RUN}/boot-before.json"
COURSE = f"{RUN}/course.json"
ENDING = f"{RUN}/ending"
INIT_SOCKET = f"{RUN}/init.sock"
AGENT_SOCKET = f"{RUN}/agent.sock"
GOSSIP_SOCKET = f"{RUN}/gossip.sock"
NOTIFY_SOCKET = f"{RUN}/notify.sock"
ETC = f"{RUN}/etc"
ESP = f"{RUN}/esp"
MEDIUM = f"{RUN}/medium"
"""Where stage 0 leaves an installation medium mounted."""
FIFOS = f"{RUN}/log"
VOLATILE_LOGS = f"{RUN}/log.d"
DEATHS = f"{RUN}/deaths"
CRASHES = f"{RUN}/crashes"
KUBE = f"{RUN}/kube"
NODE = f"{RUN}/node"
"""A link to the node's data directory, made when everything is in its place there; the logger waits for it."""

CREDENTIALS = "/run/credentials"
HOST_SOURCES = ("flag", "environment")
"""Of a container on a host: what `hepto start` was told, its only configuration. They are there even if empty."""
CREDENTIAL_SOURCES = ("smbios", "fw_cfg", "esp", "volume", "cidata")

DATA = "/var/lib/hepto"
DATA_LABEL = "hepto-data"
ESP_LABEL = "hepto-esp"
"""Of the partition, not of the file system."""

PROGRAM = "/usr/lib/hepto/pid1"
PYTHON = "/usr/bin/python3"
IMAGE = "/usr/lib/hepto/image.json"
IMAGE_WORDS = "/usr/lib/hepto/cmdline"
"""Words that `hepto build --set` has put into the image, as on a kernel command line."""
IMAGES = "/usr/lib/hepto/images/images.tar"
STACK = "/usr/lib/hepto/stack"

CGROUPS = "/sys/fs/cgroup"
CGROUP_INIT = f"{CGROUPS}/init"
CGROUP_SERVICES = f"{CGROUPS}/hepto"
CGROUP_SHIMS = f"{CGROUP_SERVICES}/shims"
CGROUP_PODS = f"{CGROUPS}/kubepods"

KUBELET_SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""What a kubelet sets for the whole machine (pkg/kubelet/cm, setupKernelTunables), below /proc/sys."""

LAB_PORT = "hepto.lab"
KERNEL_LOG = "kernel"
"""Name of the log with the kernel's messages; no service may have it."""

# Bind mounts from the node's data directory: (directory below it, fixed path that others assume). boot.md section 4.
WRITABLE = (
    ("kubelet", "/var/lib/kubelet"),
    ("containerd", "/var/lib/containerd"),
    ("cni/state", "/var/lib/cni"),
    ("cni/calico", "/var/lib/calico"),  # Calico's operator 1.43 cannot be told another place
    ("log", "/var/log"),
    ("cni/net.d", "/etc/cni/net.d"),
    ("cni/bin", "/opt/cni/bin"),
    ("kubernetes", "/etc/kubernetes"),
)


def service_file(name: str) -> str:
    """The desired state of service `name`."""
    return os.path.join(SERVICES, f"{name}.json")


def status_file(name: str) -> str:
    """The actual state of service `name`."""
    return os.path.join(STATUS, f"{name}.json")
