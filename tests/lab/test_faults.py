"""Faults on a lab whose machine is no QEMU: what the router, the DNS server and the machine do when one is ordered."""

import os

import pytest

from hepto.errors import UserError
from hepto.lab.client import LabClient
from tests.lab.labs import LIMIT, host_on_the_bridge, lab, until

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

NEW = "2001:db8:7::/64"


def console(made: LabClient) -> str:
    return made.where.node("one").console.read_text()


def test_a_link_is_renumbered_and_the_old_prefix_withdrawn(made: LabClient) -> None:
    made.fault("prefix", bridge="lab0", prefix=NEW)
    seen = host_on_the_bridge(made, prefix="2001:db8:7:")

    withdrawn = "03 04 40 c0 00000000 00000000 00000000 20010db8000100000000000000000000"
    dead_resolver = "19 03 0000 00000000 20010db8000100000000000000000001"
    assert bytes.fromhex(withdrawn).hex() in seen["message"]
    assert bytes.fromhex(dead_resolver).hex() in seen["message"]
    assert seen["address"].startswith("2001:db8:7:")
    assert seen["outside_saw"] == seen["address"]
    assert seen["resolved"] == "2001:db8:2::2"
    assert made.node_state("one")["address"].startswith("2001:db8:7:")
    addresses = made.run("router", "ip", "-6", "-o", "address", "show", "dev", "lab0").text
    assert "2001:db8:7::1/64" in addresses
    assert "2001:db8:1::1" not in addresses


def test_a_prefix_may_come_back(made: LabClient) -> None:
    made.fault("prefix", bridge="lab0", prefix=NEW)
    made.fault("prefix", bridge="lab0", prefix="2001:db8:1::/64")
    made.fault("prefix", bridge="lab0", prefix="2001:db8:1::/64")

    seen = host_on_the_bridge(made)
    assert seen["address"].startswith("2001:db8:1:")
    assert made.snapshot()["links"][0] == {"name": "lab0", "prefix": "2001:db8:1::/64"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"bridge": "lab0", "prefix": "2001:db8:3::/64"}, "prefix of another link"),
        ({"bridge": "lab9", "prefix": NEW}, "no link 'lab9'"),
        ({"bridge": "lab0", "prefix": "x"}, "no prefix"),
        ({"bridge": "lab0"}, "not a request"),
    ],
    ids=["taken", "no-link", "no-prefix", "nothing"],
)
def test_what_cannot_be_is_refused_and_changes_nothing(made: LabClient, fields: dict[str, str], text: str) -> None:
    before = made.snapshot()

    with pytest.raises(UserError, match=text):
        made.fault("prefix", **fields)

    assert made.snapshot() == before


def test_a_fault_that_is_not_known_or_of_no_node_is_refused(made: LabClient) -> None:
    with pytest.raises(UserError, match="not a request"):
        made.fault("earthquake")
    with pytest.raises(UserError, match="no node 'two'"):
        made.fault("link", node="two", up=False)


def test_a_cable_is_pulled_stays_so_over_a_power_cycle_and_is_plugged_in(made: LabClient) -> None:
    made.fault("link", node="one", up=False)
    until(lambda: console(made).count("cable net0 out") == 1, "the machine is told")
    assert made.node_state("one")["link_up"] is False

    made.power("one", "off")
    made.wait_for("one", lambda seen: not seen["on"], LIMIT)
    made.power("one", "on")
    until(lambda: console(made).count("cable net0 out") == 2, "the machine begins without its cable")

    made.fault("link", node="one", up=True)
    until(lambda: "cable net0 in" in console(made), "the machine is told")
    assert made.node_state("one")["link_up"] is True


def test_a_node_moves_to_the_other_link(made: LabClient) -> None:
    made.fault("move", node="one", bridge="lab1")

    until(lambda: "cable net0 in" in console(made), "the cable is plugged in again")
    node = made.node_state("one")
    assert (node["link"], node["address"][:11]) == ("lab1", "2001:db8:3:")
    assert " master lab1 " in made.run("router", "ip", "-o", "link", "show", "dev", "tap0-one").text
    assert host_on_the_bridge(made, "lab1", "2001:db8:3:")["outside_saw"].startswith("2001:db8:3:")


def test_a_replaced_node_is_another_machine_with_a_blank_disk(made: LabClient) -> None:
    disk = made.where.node("one").data
    with disk.open("r+b") as file:
        file.write(b"something")
    before = made.node_state("one")

    made.fault("replace", node="one")
    after = made.wait_for("one", lambda seen: seen["channel"] and seen["boots"] == 2, LIMIT)

    assert disk.stat().st_size == 16 << 20
    assert disk.read_bytes().count(0) == 16 << 20
    assert after["address"] != before["address"]
    booted = [line.split()[1] for line in console(made).splitlines() if line.startswith("booted")]
    assert booted == [str(lab().identity("one")), str(lab().identity("one", 1))]
