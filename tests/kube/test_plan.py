"""What runs where, and in which order."""

import dataclasses

import pytest

from hepto.kube.files import Directory
from hepto.kube.parameters import Cni, Proxy
from hepto.kube.plan import plan
from init.contract.service import ReadyKind, parse
from tests.kube.example import DATA, FULL

MASTER = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
WORKER = {"containerd", "images", "kubelet", "kube-proxy", "coredns"}


@pytest.mark.parametrize(
    ("master", "worker", "expected"),
    [(True, True, MASTER | WORKER), (True, False, MASTER), (False, True, WORKER)],
    ids=["full", "master", "node"],
)
def test_a_role_runs_its_services(master: bool, worker: bool, expected: set[str]) -> None:
    services = plan(dataclasses.replace(FULL, master=master, worker=worker)).services

    assert set(services) == expected
    assert {name for service in services.values() for name in service.after} <= expected


def test_order_is_readiness() -> None:
    after = {name: service.after for name, service in plan(FULL).services.items()}

    assert after == {
        "etcd": (),
        "kube-apiserver": ("etcd",),
        "kube-controller-manager": ("kube-apiserver",),
        "kube-scheduler": ("kube-apiserver",),
        "containerd": (),
        "images": ("containerd",),
        "kubelet": ("containerd",),
        "kube-proxy": ("kubelet",),
        "coredns": ("kube-apiserver",),
    }


def test_readiness_is_told_or_asked_never_guessed() -> None:
    kinds = {name: service.ready.kind for name, service in plan(FULL).services.items()}

    assert kinds == {
        "etcd": ReadyKind.NOTIFY,
        "containerd": ReadyKind.NOTIFY,
        "images": ReadyKind.EXIT,
        **dict.fromkeys(
            ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"),
            ReadyKind.AGENT,
        ),
    }


def test_service_files_are_what_pid_1_reads() -> None:
    for service in plan(FULL).services.values():
        assert parse(service.dump()) == service


def test_equal_parameters_make_an_equal_plan() -> None:
    assert plan(FULL) == plan(dataclasses.replace(FULL))


def test_other_resolvers_restart_nothing() -> None:
    before, after = plan(FULL).services, plan(dataclasses.replace(FULL, resolvers=(), search=())).services

    assert not any(before[name].restarts(after[name]) for name in before)


def test_another_mtu_restarts_nothing() -> None:
    before, after = plan(FULL).services, plan(dataclasses.replace(FULL, mtu=1380)).services

    assert not any(before[name].restarts(after[name]) for name in before)


def test_no_secret_and_no_ipv4_is_in_any_file_or_argument() -> None:
    made = plan(FULL)
    texts = [file.data.decode() for file in made.files]
    texts += [" ".join(service.argv) for service in made.services.values()]

    assert not any("PRIVATE" in text or "127.0.0.1" in text or "0.0.0.0" in text for text in texts)


def test_directories_come_first_and_are_private() -> None:
    assert plan(FULL).directories == (
        Directory("/run/hepto/kube"),
        Directory(f"{DATA}/etcd"),
        Directory("/run/hepto/kube/registries"),
    )


def test_a_user_s_network_replaces_ours() -> None:
    made = plan(dataclasses.replace(FULL, cni=Cni.NONE, proxy=Proxy.NONE))

    assert "kube-proxy" not in made.services
    assert made.absent == ("/etc/cni/net.d/10-hepto.conflist",)
