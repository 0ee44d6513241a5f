"""What follows from names, and the line on which a specification travels."""

from ipaddress import IPv6Address, IPv6Network
from uuid import UUID

import pytest

from hepto.errors import ExitCode, UserError
from hepto.lab.spec import LAB_NETWORK, OUTSIDE_NETWORK, Emulator, Lab, Node, dump, load, prefix

LAB = Lab(
    name="default",
    image="/image",
    emulator=Emulator(("qemu", "-L", "x"), (("LD_LIBRARY_PATH", "/x"),), (10, 0), "tcg"),
    nodes=(
        Node("one", ("hepto.cluster=demo",), (("hepto.key", "00ff"),), memory=1024, cpus=1),
        Node("two", disk=0, on=False),
    ),
    advertise=False,
)


def test_a_lab_arrives_as_it_was_sent() -> None:
    assert load(dump(LAB)) == LAB


def test_a_lab_is_one_line() -> None:
    assert dump(LAB).count(b"\n") == 1


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"name": "x"}', b'{"emulator": 1, "nodes": []}'])
def test_what_is_no_lab_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        load(line)


def test_the_key_does_not_show_when_a_node_is_printed() -> None:
    assert "00ff" not in repr(LAB)


def test_identity_and_hardware_address_follow_from_the_names() -> None:
    """A lab that is made again boots the same machines: their names and addresses must not change by chance."""
    assert LAB.identity("one") == UUID("8c6dba82-b025-5232-858d-ee7b91ee185d")
    assert LAB.hardware_address("one") != LAB.hardware_address("two")
    assert LAB.hardware_address("one")[:3] == b"\x52\x54\x00"


def test_the_address_of_a_node_is_its_eui_64_in_the_labs_prefix() -> None:
    mac = LAB.hardware_address("one")

    expected = bytes.fromhex("20010db800010000") + b"\x50\x54\x00\xff\xfe" + mac[3:]
    assert LAB.address("one") == IPv6Address(expected)


def test_another_machine_of_the_same_name_has_another_identity_and_address() -> None:
    assert LAB.identity("one", 1) not in {LAB.identity("one"), LAB.identity("one", 2)}
    assert LAB.hardware_address("one", 1) != LAB.hardware_address("one")
    assert LAB.address("one", generation=1) in LAB_NETWORK


def test_the_address_follows_the_prefix_of_the_link() -> None:
    other = IPv6Network("2001:db8:7::/64")

    assert LAB.address("one", other) in other
    assert int(LAB.address("one", other)) & (1 << 64) - 1 == int(LAB.address("one")) & (1 << 64) - 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), True), (("hepto.debug=lab",), True), (("hepto.debug=lab,no-kube", "x"), False)],
)
def test_a_node_runs_kubernetes_unless_its_options_say_otherwise(options: tuple[str, ...], expected: bool) -> None:
    assert Node("one", options).kubernetes is expected


def test_a_prefix_has_64_bits() -> None:
    assert prefix("2001:db8:7::/64") == IPv6Network("2001:db8:7::/64")


@pytest.mark.parametrize(
    "text", ["x", "2001:db8::/48", "2001:db8:7::1/64", "fe80::/64", "ff02::/64", "::/64", str(OUTSIDE_NETWORK)]
)
def test_what_no_router_can_advertise_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        prefix(text)

    assert caught.value.code is ExitCode.USAGE


def test_a_node_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        LAB.node("three")


@pytest.mark.parametrize(
    ("version", "accelerator", "trusted"), [((7, 2), "tcg", False), ((10, 0), "tcg", True), ((7, 2), "kvm", True)]
)
def test_old_qemu_is_not_trusted_to_emulate(version: tuple[int, ...], accelerator: str, trusted: bool) -> None:
    assert Emulator(("qemu",), (), version, accelerator).trusted is trusted
