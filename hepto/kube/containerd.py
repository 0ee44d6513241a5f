"""containerd with crun: pods outlive it, so only its main process is stopped; shims are in /hepto/shims.

The streaming server (exec, logs) listens on 127.0.0.1 unless told otherwise. Snapshotters that need a program or a
device of their own are off. Registries are files below a directory, read at each pull: those that hold credentials are
for root only, but whatever they open is open to every pod of the node.
"""

import base64
import json

from hepto.kube import memory
from hepto.kube.files import MODE_PUBLIC, MODE_SECRET, Directory, File, KubePlan, restart_key
from hepto.kube.parameters import Credential, KubeParameters, Mirror, rendered
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Scope, Service, Stop

SOCKET = "/run/containerd/containerd.sock"
CONFIG = rendered("containerd.toml")
REGISTRIES = rendered("registries")
SANDBOX_IMAGE = "localhost/hepto/pause:1"
SHIMS = paths.CGROUP_SHIMS.removeprefix(paths.CGROUPS)
CNI_BINARIES = ("/opt/cni/bin", "/usr/lib/cni")
CNI_CONFIGURATIONS = "/etc/cni/net.d"
SERVERS = {"docker.io": "registry-1.docker.io"}
"""Where a registry's server is not the host in the names of its images."""

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
    hosts = registries(parameters.mirrors, parameters.credentials)
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


def registries(mirrors: tuple[Mirror, ...], credentials: tuple[Credential, ...]) -> tuple[File, ...]:
    """hosts.toml of each registry that has a mirror or a credential, in the order they are first named.

    A credential goes to its own host only: not from a registry to the mirror of it, nor from there to the registry.
    """
    known = {credential.host: credential for credential in credentials}
    hosts = dict.fromkeys([*(mirror.host for mirror in mirrors), *known])
    return tuple(_registry(host, [_url(mirror) for mirror in mirrors if mirror.host == host], known) for host in hosts)


def _registry(host: str, urls: list[str], known: dict[str, Credential]) -> File:
    """One hosts.toml: mirrors, which only resolve and pull, before the registry itself, to which containerd falls back.

    Tables come last: what follows a table's head in TOML belongs to it.
    """
    lines, secret = [], host in known
    if host in known:
        lines += [f'server = "https://{SERVERS.get(host, host)}"', f"[header]\n  Authorization = {_basic(known[host])}"]
    for url in urls:
        credential = known.get(url.partition("://")[2].partition("/")[0])
        lines += [f'[host."{url}"]', '  capabilities = ["pull", "resolve"]']
        if credential is not None:
            lines += [f'[host."{url}".header]', f"  Authorization = {_basic(credential)}"]
            secret = True
    text = "\n".join((*lines, ""))
    # containerd writes a port as `host_1234_` where a colon cannot be in a directory's name; both are read.
    return File(f"{REGISTRIES}/{host}/hosts.toml", text.encode(), MODE_SECRET if secret else MODE_PUBLIC)


def _url(mirror: Mirror) -> str:
    return mirror.mirror if "://" in mirror.mirror else f"https://{mirror.mirror}"


def _basic(credential: Credential) -> str:
    """The header's value (RFC 7617) as a TOML string. containerd shows it to the registry and to its token server."""
    pair = credential.user.encode() + b":" + credential.password.reveal()
    return json.dumps(f"Basic {base64.b64encode(pair).decode()}")


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f'"{value}"' for value in values)
