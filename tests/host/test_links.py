"""Which interface of the host a node can be a station on."""

from pathlib import Path

import pytest

from hepto.errors import ExitCode, UserError
from hepto.host import links

NOWHERE, ROUTER = 32 * "0", f"fe80{27 * '0'}1"
ROUTES = "\n".join(
    f"{destination} {length} {NOWHERE} 00 {gateway} {metric} 00000001 00000000 {flags} {interface:>8}"
    for destination, length, gateway, metric, flags, interface in (
        (NOWHERE, "00", ROUTER, "00000400", "00000003", "eth1"),
        (NOWHERE, "00", ROUTER, "00000064", "00000003", "eth0"),
        (f"20010db80001{20 * '0'}", "40", NOWHERE, "00000001", "00000001", "eth2"),
        (NOWHERE, "00", NOWHERE, "ffffffff", "00200200", "lo"),
    )
)


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """/sys/class/net of a host with a bridge, a port of it, a bond's part and a plain interface."""
    for name in ("eth0", "br0/bridge", "port0/brport", "bond0", "part0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "port0/master").symlink_to("../br0")
    (tmp_path / "part0/master").symlink_to("../bond0")
    return tmp_path


def test_a_plain_interface_and_a_bridge_are_good(sys: Path) -> None:
    links.check("eth0", sys)
    links.check("br0", sys)


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("eth7", "there is no interface eth7", "--iface"),
        ("port0", "port0 is a port of bridge br0", "use --iface br0"),
        ("part0", "part0 is a port of interface bond0", "use --iface bond0"),
    ],
)
def test_others_are_refused_with_what_to_do(sys: Path, name: str, said: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        links.check(name, sys)

    assert said in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.code == ExitCode.USAGE


def test_without_a_name_it_is_that_of_the_best_default_route() -> None:
    assert links.default(ROUTES) == "eth0"
    assert links.default(ROUTES.splitlines()[2]) is None
    assert links.default("") is None


def test_a_link_s_first_name_is_one_that_the_kernel_takes() -> None:
    assert len(links.temporary("n" * 63)) <= 15
    assert links.temporary("n1") != links.temporary("n2")
