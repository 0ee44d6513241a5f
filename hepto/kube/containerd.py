"""containerd with crun: pods outlive it, so only its main process is stopped; shims are in /hepto/shims.

The streaming server (exec, logs) listens on 127.0.0.1 unless told otherwise. Snapshotters that need a program or a
device of their own are off. Registries are files below a directory, read at each pull.
"""

from hepto.kube import memory
from hepto.kube.files import MODE_PUBLIC, Directory, File, KubePlan, restart_key
from hepto.kube.parameters import KubeParameters, Mirror, rendered
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Scope, Service, Stop

SOCKET = "/run/containerd/containerd.sock"
CONFIG = rendered("containerd.toml")
REGISTRIES = rendered("registries")
SANDBOX_IMAGE = "localhost/hepto/pause:1"
SHIMS = paths.CGROUP_SHIMS.removeprefix(paths.CGROUPS)
CNI_BINARIES = ("/opt/cni/bin", "/usr/lib/cni")
CNI_CONFIGURATIONS = "/etc/cni/net.d"

DISABLED = (
    "io.containerd.differ.v1.erofs",
    "io.containerd.internal.v1.opt",
    "io.containerd.mount-handler.v1.erofs",
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.native",
)

CONFIGURATION = """\
version = 4
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [{disabled}]

[plugins.'io.containerd.server.v1.grpc']
  address = "{socket}"

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "::1"
  stream_server_port = "0"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{sandbox}"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "{registries}"

[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = "crun"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun.options]
  BinaryName = "/usr/bin/crun"
  ShimCgroup = "{shims}"
  SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [{binaries}]
  conf_dir = "{configurations}"
"""


def plan(parameters: KubeParameters) -> KubePlan:
    """containerd itself; its READY=1 comes when its socket serves."""
    file = configuration()
    service = Service(
        argv=(f"{paths.STACK}/containerd", "--config", CONFIG),
        env=memory.environment("containerd"),
        ready=Ready(ReadyKind.NOTIFY),
        stop=Stop(scope=Scope.PROCESS),
        limits=memory.limits("containerd"),
        oom_score_adj=memory.NEEDS["containerd"].oom,
        restart_key=restart_key(file),
    )
    hosts = tuple(registry(mirror) for mirror in parameters.mirrors)
    directories = (REGISTRIES, *(file.path.rpartition("/")[0] for file in hosts))
    return KubePlan(
        directories=tuple(Directory(path) for path in directories),
        files=(file, *hosts),
        services={"containerd": service},
    )


def configuration() -> File:
    """config.toml, the same on every node."""
    text = CONFIGURATION.format(
        disabled=_texts(DISABLED),
        socket=SOCKET,
        sandbox=SANDBOX_IMAGE,
        registries=REGISTRIES,
        shims=SHIMS,
        binaries=_texts(CNI_BINARIES),
        configurations=CNI_CONFIGURATIONS,
    )
    return File(CONFIG, text.encode(), MODE_PUBLIC)


def registry(mirror: Mirror) -> File:
    """hosts.toml of one registry: its mirror, which only resolves and pulls; containerd falls back to the registry."""
    url = mirror.mirror if "://" in mirror.mirror else f"https://{mirror.mirror}"
    text = f'[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
    # containerd writes a port as `host_1234_` where a colon cannot be in a directory's name; both are read.
    return File(f"{REGISTRIES}/{mirror.host}/hosts.toml", text.encode(), MODE_PUBLIC)


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f'"{value}"' for value in values)
