"""containerd's configuration."""

import dataclasses
import tomllib

from hepto.kube.containerd import DISABLED, configuration, plan, registry
from hepto.kube.files import Directory, File
from hepto.kube.parameters import Mirror
from init.contract.service import Ready, ReadyKind, Scope
from tests.kube.example import FULL


def test_the_configuration_is_whole() -> None:
    file = configuration()

    assert (file.path, file.mode) == ("/run/hepto/kube/containerd.toml", 0o644)
    assert tomllib.loads(file.data.decode()) == {
        "version": 4,
        "root": "/var/lib/containerd",
        "state": "/run/containerd",
        "disabled_plugins": list(DISABLED),
        "plugins": {
            "io.containerd.server.v1.grpc": {"address": "/run/containerd/containerd.sock"},
            "io.containerd.grpc.v1.cri": {"stream_server_address": "::1", "stream_server_port": "0"},
            "io.containerd.cri.v1.images": {
                "pinned_images": {"sandbox": "localhost/hepto/pause:1"},
                "registry": {"config_path": "/run/hepto/kube/registries"},
            },
            "io.containerd.cri.v1.runtime": {
                "containerd": {
                    "default_runtime_name": "crun",
                    "runtimes": {
                        "crun": {
                            "runtime_type": "io.containerd.runc.v2",
                            "options": {
                                "BinaryName": "/usr/bin/crun",
                                "ShimCgroup": "/hepto/shims",
                                "SystemdCgroup": False,
                            },
                        }
                    },
                },
                "cni": {"bin_dirs": ["/opt/cni/bin", "/usr/lib/cni"], "conf_dir": "/etc/cni/net.d"},
            },
        },
    }


def test_pods_outlive_it() -> None:
    service = plan(FULL).services["containerd"]

    assert service.stop.scope is Scope.PROCESS
    assert service.ready == Ready(ReadyKind.NOTIFY)


def test_mirrors_are_files_that_are_read_at_each_pull() -> None:
    mirrors = (Mirror("docker.io", "mirror.example.org:5000"), Mirror("ghcr.io", "http://[2001:db8::1]/v2"))

    made = plan(dataclasses.replace(FULL, mirrors=mirrors))

    assert made.directories == (
        Directory("/run/hepto/kube/registries"),
        Directory("/run/hepto/kube/registries/docker.io"),
        Directory("/run/hepto/kube/registries/ghcr.io"),
    )
    assert made.files[1:] == tuple(registry(mirror) for mirror in mirrors)
    assert registry(mirrors[0]) == File(
        "/run/hepto/kube/registries/docker.io/hosts.toml",
        b'[host."https://mirror.example.org:5000"]\n  capabilities = ["pull", "resolve"]\n',
        0o644,
    )
    assert b'[host."http://[2001:db8::1]/v2"]' in registry(mirrors[1]).data
    assert not plan(FULL).services["containerd"].restarts(made.services["containerd"])
