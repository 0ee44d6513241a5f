"""`hepto info` with the name of a network plugin prints its values and nothing else, or says why not."""

import json

import pytest

from hepto.cli import version
from hepto.cli.info import READY
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.options import BY_NAME
from tests.cli.test_commands import run

MASTER = ("info", "--cluster", "mycluster", "--name", "mymaster")
ADDRESS = "fd6d:9999:dd30:100:b6c5:f112:b311:6200"


def refused(*words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The two lines of a run that fails for what was asked."""
    assert main(words) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.removeprefix("hepto: ").splitlines()


def test_cilium_s_are_helm_values(capsys: pytest.CaptureFixture[str]) -> None:
    values = json.loads(run(*MASTER, "--cni", "cilium", capsys=capsys))

    assert values["k8sServiceHost"] == ADDRESS
    assert values["MTU"] == 1420, "an underlay of 1500 bytes, less WireGuard's 80"
    assert values["kubeProxyReplacement"] == "false"
    replaced = json.loads(run(*MASTER, "-cni=cilium", "-proxy=none", capsys=capsys))
    assert replaced["kubeProxyReplacement"] == "true"


def test_calico_s_is_an_installation(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(run(*MASTER, "--cni", "calico", "--underlay-mtu", "1492", capsys=capsys))
    packed = json.loads(
        run(*MASTER, "--cni", "calico", "--underlay-mtu", "1492", "--encapsulation", "vxlan", capsys=capsys)
    )

    assert made["kind"] == "Installation"
    assert made["spec"]["calicoNetwork"]["mtu"] == 1412
    assert packed["spec"]["calicoNetwork"]["mtu"] == 1342


def test_kube_proxy_s_are_objects_of_the_stack_s_version(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(run(*MASTER, "--proxy", "kube-proxy", capsys=capsys))

    assert [item["kind"] for item in made["items"]] == [
        *("ServiceAccount", "ClusterRoleBinding", "ConfigMap", "DaemonSet"),
    ]
    assert f"kube-proxy:{version.kubernetes()}" in json.dumps(made)


def test_the_last_word_for_an_option_wins(capsys: pytest.CaptureFixture[str]) -> None:
    assert "options" in json.loads(run(*MASTER, "--json", "--cni", "cilium", "--cni", "none", capsys=capsys))
    assert "MTU" in json.loads(run(*MASTER, "--cni", "none", "--cni", "cilium", capsys=capsys))


def test_an_underlay_that_is_too_small_for_vxlan_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    words = (*MASTER, "--cni", "cilium", "--encapsulation", "vxlan", "--underlay-mtu")

    assert refused(*words, "1429", capsys=capsys) == [
        "in VXLAN on an underlay of 1429 bytes pods have 1279 bytes, and IPv6 needs 1280",
        "       use --encapsulation none, or an underlay of at least 1430",
    ]
    assert json.loads(run(*words, "1430", capsys=capsys))["MTU"] == 1350


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("info", "--cni", "cilium"), "the values for cilium hold a master's address, and no master is named"),
        (("info", "--name", "a", "--role", "node", "--cni", "calico"), "the values for calico hold a master's address"),
        (("info", "--name", "a", "--anchor", "b", "--proxy", "kube-proxy"), "the values for kube-proxy hold"),
        ((*MASTER, "--cni", "calico", "--proxy", "none"), "Calico without kube-proxy is its eBPF dataplane"),
        ((*MASTER, "--cni", "calico", "--proxy", "kube-proxy"), "values for calico and kube-proxy at once"),
        ((*MASTER, "--encapsulation", "vxlan"), "--encapsulation and --underlay-mtu are for a network plugin's values"),
        ((*MASTER, "--proxy", "kube-proxy", "--underlay-mtu", "1500"), "--encapsulation and --underlay-mtu are for"),
        ((*MASTER, "--cni", "calico", "--underlay-mtu", "1279"), "Invalid value for '--underlay-mtu'"),
        ((*MASTER, "--cni", "flannel"), "--cni=flannel: not native or none"),
    ],
)
def test_what_has_no_answer_is_two_lines(words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = refused(*words, capsys=capsys)

    assert first.startswith(what)


def test_the_words_are_no_values_of_the_options_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    for name, words in READY.items():
        assert not set(words) & set(BY_NAME[name].kind.choices)
        assert main(["cmdline", f"--{name}", words[0]]) == ExitCode.USAGE
        assert f"--{name}={words[0]}" in capsys.readouterr().err
