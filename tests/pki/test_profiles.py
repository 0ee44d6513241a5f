"""The certificate table: a change here is a change of trust, so it is written down twice."""

import pytest

from hepto.pki.profiles import BY_NAME, PROFILES, Authority, Holder, Names, Subject, Usage, held_by
from tests.pki.example import MASTER, PLAN, WORKER

PURE_MASTER = Subject("mycluster", "mymaster", PLAN.node("mymaster"), True, False, PLAN.kubernetes_service)


def test_a_worker_holds_only_what_names_itself() -> None:
    held = {profile.name: profile for profile in held_by(WORKER)}

    assert set(held) == {"node-api", "kubelet-client", "kubelet-server", "kube-proxy", "coredns"}
    assert all("{node}" in profile.common_name for profile in held.values())
    assert all(profile.authority is Authority.CLUSTER for profile in held.values())


def test_a_pure_master_has_nothing_of_a_kubelet() -> None:
    names = {profile.name for profile in held_by(PURE_MASTER)}

    assert not names & {"kubelet-client", "kubelet-server", "kube-proxy", "coredns"}
    assert {"apiserver", "etcd-server", "admin", "node-api"} <= names


def test_system_masters_is_in_no_file() -> None:
    powerful = [profile for profile in PROFILES if profile.organisation == "system:masters"]

    assert powerful == [BY_NAME["bootstrap"]]
    assert powerful[0].holder is Holder.MEMORY
    assert powerful[0].lifetime.total_seconds() == 20 * 60
    assert not any(BY_NAME["bootstrap"] in held_by(subject) for subject in (MASTER, WORKER, PURE_MASTER))


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(PROFILES)


def test_leaves_of_nodes_live_a_day_and_of_the_control_plane_a_week() -> None:
    lives = {profile.name: profile.lifetime.days for profile in PROFILES if profile.holder is not Holder.MEMORY}

    assert {name for name, days in lives.items() if days == 1} == {profile.name for profile in held_by(WORKER)}
    assert set(lives.values()) == {1, 7}


def test_the_apiserver_is_named_by_the_plan_and_the_configuration_only() -> None:
    assert BY_NAME["apiserver"].names(MASTER) == Names(
        dns=(
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "mymaster",
            "api.example.org",
        ),
        addresses=(PLAN.node("mymaster"), PLAN.kubernetes_service),
        uris=("hepto:master:mymaster",),
    )


def test_only_masters_carry_the_master_uri() -> None:
    for name in ("kubelet-server", "node-api"):
        assert BY_NAME[name].names(MASTER).uris == ("hepto:master:mymaster",)
        assert BY_NAME[name].names(WORKER).uris == ("hepto:node:node1",)


@pytest.mark.parametrize("name", ["apiserver", "kubelet-server", "node-api"])
def test_servers_towards_others_are_no_clients(name: str) -> None:
    assert BY_NAME[name].usages == (Usage.SERVER,)


def test_a_node_named_like_a_kubernetes_name_is_named_once() -> None:
    subject = Subject("c", "kubernetes", PLAN.node("kubernetes"), True, True, PLAN.kubernetes_service)

    assert BY_NAME["apiserver"].names(subject).dns.count("kubernetes") == 1
