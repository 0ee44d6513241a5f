"""The programs of the built image take every flag and every field that hepto/kube renders (marker `image`).

Nothing is started: a last, unknown flag stops a program after it has read all others, and an impossible port stops the
kubelet after it has decoded its configuration.
"""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from hepto.kube import cni, containerd, coredns, kubelet, proxy
from hepto.kube.controller_manager import DISABLED
from hepto.kube.parameters import CLUSTER_DOMAIN
from hepto.kube.plan import plan
from tests.kube.example import FULL

pytestmark = pytest.mark.image

UNKNOWN = "--no-such-flag-of-any-program"
SERVICES = plan(FULL).services


def run(root: Path, name: str, *words: str | Path, directory: str = "usr/lib/hepto/stack") -> str:
    """What a program of the image prints on both streams."""
    done = subprocess.run(
        [root / directory / name, *words], capture_output=True, text=True, timeout=30, check=False, env={}, cwd=root
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_flag_is_known_and_its_value_taken(root: Path, name: str) -> None:
    program, *words = SERVICES[name].argv

    output = run(root, program.rpartition("/")[2], *words, UNKNOWN)

    assert UNKNOWN.removeprefix("--") in output
    complaints = [line for line in output.splitlines() if "invalid argument" in line or "flag provided but" in line]
    assert all(UNKNOWN.removeprefix("--") in line for line in complaints)


def test_kubelet_s_configuration_has_no_unknown_field(root: Path, tmp_path: Path) -> None:
    config = json.loads(kubelet.configuration(FULL).data) | {"healthzPort": 70000}
    (tmp_path / "kubelet.json").write_text(json.dumps(config))

    output = run(root, "kubelet", "--config", tmp_path / "kubelet.json")

    assert "strict decoding error" not in output
    assert "70000" in output


def test_an_unknown_field_of_kubelet_would_be_noticed(root: Path, tmp_path: Path) -> None:
    config = json.loads(kubelet.configuration(FULL).data) | {"healthzPort": 70000, "noSuchField": 1}
    (tmp_path / "kubelet.json").write_text(json.dumps(config))

    assert "strict decoding error" in run(root, "kubelet", "--config", tmp_path / "kubelet.json")


def test_kube_proxy_s_configuration_has_no_unknown_field(root: Path, tmp_path: Path) -> None:
    given, written = tmp_path / "given.json", tmp_path / "written.yaml"
    given.write_bytes(proxy.configuration(FULL).data)

    output = run(root, "kube-proxy", "--config", given, "--write-config-to", written)

    assert "strict decoding error" not in output
    assert "mode: nftables" in written.read_text()


def test_containerd_takes_its_configuration_as_it_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(containerd.configuration().data)

    dump = run(root, "containerd", "--config", tmp_path / "config.toml", "config", "dump")

    assert "level=warning" not in dump
    taken, given = tomllib.loads(dump), tomllib.loads(containerd.configuration().data.decode())
    assert difference(given, taken) == []


def difference(given: dict[str, object], taken: dict[str, object], where: str = "") -> list[str]:
    """What of `given` is not in `taken`."""
    found: list[str] = []
    for name, value in given.items():
        other = taken.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            found += difference(value, other, f"{where}{name}.")
        elif other != value:
            found.append(f"{where}{name}: {other!r} instead of {value!r}")
    return found


def test_switched_off_plugins_and_controllers_exist(root: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("version = 4\n")
    known = run(root, "containerd", "--config", tmp_path / "config.toml", "config", "dump")
    assert [name for name in containerd.DISABLED if f"'{name}'" not in known] == []

    controllers = run(root, "kube-controller-manager", "--help").replace("\n", " ")
    assert [name for name in DISABLED if name not in controllers] == []


def test_coredns_has_every_plugin_of_the_corefile(root: Path) -> None:
    lines = coredns.corefile(FULL).data.decode().splitlines()[1:]
    used = {line.split()[0] for line in lines if line.startswith("    ") and not line.startswith("     ")} - {"}"}

    plugins = {line.strip().removeprefix("dns.") for line in run(root, "coredns", "-plugins").splitlines()}

    assert CLUSTER_DOMAIN in "".join(lines)
    assert used | {"dns64", "template"} <= plugins


def test_network_plugins_speak_the_version_of_the_list(root: Path) -> None:
    (file,) = cni.plan(FULL).files
    value = json.loads(file.data)
    programs = {entry["type"] for entry in value["plugins"]} | {value["plugins"][0]["ipam"]["type"], "loopback"}

    for program in programs:
        done = subprocess.run(
            [root / "usr/lib/cni" / program], env={"CNI_COMMAND": "VERSION"}, input=b'{"cniVersion":"1.0.0"}',
            capture_output=True, timeout=10, check=True,
        )  # fmt: skip
        assert value["cniVersion"] in json.loads(done.stdout)["supportedVersions"]
