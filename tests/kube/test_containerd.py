"""containerd's configuration."""

import base64
import dataclasses
import tomllib

from hepto.kube.containerd import DISABLED, configuration, plan, registries
from hepto.kube.files import Directory, File
from hepto.kube.parameters import Credential, Mirror
from hepto.values import Secret
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
    assert made.files[1:] == registries(mirrors, ())
    docker, github = made.files[1:]
    assert docker == File(
        "/run/hepto/kube/registries/docker.io/hosts.toml",
        b'[host."https://mirror.example.org:5000"]\n  capabilities = ["pull", "resolve"]\n',
        0o644,
    )
    assert b'[host."http://[2001:db8::1]/v2"]' in github.data
    assert not plan(FULL).services["containerd"].restarts(made.services["containerd"])


def test_several_mirrors_of_a_registry_are_tried_in_their_order() -> None:
    (file,) = registries((Mirror("docker.io", "b.example.org"), Mirror("docker.io", "a.example.org")), ())

    assert list(tomllib.loads(file.data.decode())["host"]) == ["https://b.example.org", "https://a.example.org"]


def test_a_credential_goes_to_its_own_host_only_and_is_read_by_root_only() -> None:
    mirrors = (Mirror("docker.io", "https://mirror.example.org:5000/v2"), Mirror("docker.io", "open.example.org"))
    mirror = Credential("mirror.example.org:5000", "me", Secret(b'horse"\\'))

    files = {file.path.split("/")[-2]: file for file in registries(mirrors, (mirror,))}
    read = {host: tomllib.loads(file.data.decode()) for host, file in files.items()}

    header = {"Authorization": f"Basic {base64.b64encode(b'me:horse' + bytes((34, 92))).decode()}"}
    assert read["docker.io"]["host"]["https://mirror.example.org:5000/v2"]["header"] == header
    assert "header" not in read["docker.io"]["host"]["https://open.example.org"]
    assert "header" not in read["docker.io"]
    assert read["mirror.example.org:5000"] == {"server": "https://mirror.example.org:5000", "header": header}
    assert {file.mode for file in files.values()} == {0o600}


def test_a_registry_gets_its_own_credential_without_any_mirror() -> None:
    (file,) = registries((), (Credential("docker.io", "me", Secret(b"horse")),))

    assert file.path == "/run/hepto/kube/registries/docker.io/hosts.toml"
    assert tomllib.loads(file.data.decode())["server"] == "https://registry-1.docker.io"


def test_credentials_do_not_show() -> None:
    parameters = dataclasses.replace(FULL, credentials=(Credential("ghcr.io", "me", Secret(b"horse")),))

    shown = f"{parameters} {plan(parameters)}"

    assert "horse" not in shown
    assert base64.b64encode(b"me:horse").decode() not in shown
