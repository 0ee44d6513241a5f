"""What a host lacks is named with what to do about it, all of it at once."""

from dataclasses import replace

import pytest

from hepto.errors import ExitCode, UserError
from hepto.host import checks, probe

GOOD = checks.Facts(
    root=True,
    release="6.12.118+deb13-cloud-amd64",
    ipv6=True,
    cgroup2=True,
    controllers=frozenset(("cpuset", "cpu", "io", "memory", "pids")),
    features=frozenset(checks.FEATURES),
)


def whats(facts: checks.Facts) -> list[str]:
    return [what for what, _ in checks.mistakes(facts)]


def test_a_good_host_has_no_mistakes() -> None:
    checks.require(GOOD)

    assert checks.mistakes(GOOD) == ()


@pytest.mark.parametrize(
    ("facts", "said", "hint"),
    [
        (replace(GOOD, root=False, cgroup2=False), "needs root", "sudo"),
        (replace(GOOD, release="5.18.19"), "the kernel is 5.18.19, and hepto needs 5.19", "newer kernel"),
        (replace(GOOD, ipv6=False), "no IPv6", "ipv6.disable"),
        (replace(GOOD, cgroup2=False), "version 1", "unified_cgroup_hierarchy"),
        (replace(GOOD, controllers=frozenset(("cpu", "pids"))), "controller memory", "cgroup_disable"),
        (replace(GOOD, features=GOOD.features - {"wireguard"}), "has not got WireGuard", "modprobe wireguard"),
        (replace(GOOD, features=GOOD.features - {"erofs"}), "file system EROFS", "modprobe erofs"),
        (replace(GOOD, others=("k3s-server",)), "another Kubernetes runs on this host (k3s-server)", "stop it"),
    ],
)
def test_one_thing_that_is_missing_is_two_lines(facts: checks.Facts, said: str, hint: str) -> None:
    ((what, advice),) = checks.mistakes(facts)

    assert said in what
    assert hint in advice


def test_all_that_is_missing_is_said_at_once_and_refused() -> None:
    bad = replace(GOOD, ipv6=False, cgroup2=False, features=frozenset())

    with pytest.raises(UserError) as caught:
        checks.require(bad)

    assert len(caught.value.what.splitlines()) == 2 * len(whats(bad)) - 1
    assert caught.value.code == ExitCode.REFUSED


@pytest.mark.parametrize(
    ("release", "is_old"), [("4.19.0", True), ("5.19", False), ("5.4.0-42-generic", True), ("6.1", False)]
)
def test_versions_are_compared_as_numbers(release: str, is_old: bool) -> None:
    assert bool(whats(replace(GOOD, release=release))) is is_old


def test_every_feature_is_tried() -> None:
    assert probe.TRIALS.keys() == checks.FEATURES.keys()
