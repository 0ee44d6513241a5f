"""Faults on a lab whose machine is no QEMU: what the router, the DNS server and the machine do when one is ordered."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.lab import client, disk, spec, state
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


def links(made: LabClient) -> str:
    return made.run("router", "ip", "-o", "link", "show", "type", "bridge").text


def silence(made: LabClient) -> bool:
    """No router's word about packets that are too big."""
    return "packet-too-big drop" in made.run("router", "nft", "list", "ruleset").text


def test_the_router_passes_on_only_small_packets_and_says_so_or_not(made: LabClient) -> None:
    assert links(made).count(" mtu 1500 ") == 2

    made.fault("mtu", mtu=1400, silent=True)
    assert links(made).count(" mtu 1400 ") == 2
    assert silence(made)

    made.fault("mtu", mtu=1300, silent=False)
    assert links(made).count(" mtu 1300 ") == 2
    assert not silence(made)
    assert host_on_the_bridge(made)["outside_saw"].startswith("2001:db8:1:")


@pytest.mark.parametrize("mtu", [1279, 1501])
def test_a_size_that_no_link_has_is_refused(made: LabClient, mtu: int) -> None:
    with pytest.raises(UserError, match=f"packets of {mtu} bytes"):
        made.fault("mtu", mtu=mtu, silent=False)

    assert links(made).count(" mtu 1500 ") == 2


@pytest.fixture
def pair(home: Path) -> Iterator[LabClient]:
    """A lab with two nodes."""
    where = state.place("pair")
    leash = client.make(lab("pair", "two"), where)
    with LabClient(where) as connection:
        yield connection
    leash.break_off()


def losses(pair: LabClient) -> list[str]:
    """The rules that drop, without what they have counted."""
    ruleset = pair.run("router", "nft", "--stateless", "list", "ruleset").text
    return [line.strip() for line in ruleset.splitlines() if "drop" in line]


def test_frames_from_one_node_to_another_are_lost_until_none_are(pair: LabClient) -> None:
    pair.fault("loss", node="one", to="two", percent=30)
    pair.fault("loss", node="two", to="one", percent=5)
    pair.fault("loss", node="one", to="two", percent=100)
    there, back = (
        f'iifname "{one}" oifname "{other}" numgen random mod 100 >= {kept} counter drop'
        for one, other, kept in (("tap0-one", "tap1-two", 0), ("tap1-two", "tap0-one", 95))
    )
    assert losses(pair) == [there, back]

    pair.fault("loss", node="one", to="two", percent=0)
    assert losses(pair) == [back]
    pair.fault("loss", node="two", to="one", percent=0)
    assert losses(pair) == []


@pytest.mark.parametrize(("to", "percent"), [("one", 30), ("two", 101), ("two", -1)], ids=["itself", "more", "less"])
def test_what_cannot_be_lost_is_refused(pair: LabClient, to: str, percent: int) -> None:
    with pytest.raises(UserError, match="cannot be lost"):
        pair.fault("loss", node="one", to=to, percent=percent)

    assert losses(pair) == []


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ("1970-01-01", ["1970-01-01T00:00:00"]),
        ("2099-06-01T12:00:00+02:00", ["2099-06-01T10:00:00"]),
        ("now", []),
    ],
)
def test_a_clock_is_wrong_from_the_next_time_that_it_is_switched_on(
    made: LabClient, given: str, begins: list[str]
) -> None:
    made.fault("clock", node="one", time=given)
    assert "clock" not in console(made)
    made.power("one", "off")
    made.wait_for("one", lambda seen: not seen["on"], LIMIT)
    made.power("one", "on")
    made.wait_for("one", lambda seen: seen["channel"] and seen["boots"] == 2, LIMIT)

    said = [line.split("base=")[1] for line in console(made).splitlines() if line.startswith("clock")]
    assert said == begins


@pytest.mark.parametrize("given", ["yesterday", "1969-12-31", "2106-01-01"])
def test_what_is_no_time_of_a_clock_is_refused(made: LabClient, given: str) -> None:
    with pytest.raises(UserError, match=f"'{given}' is no time that"):
        made.fault("clock", node="one", time=given)


def test_a_translator_is_advertised_and_leads_to_the_host_behind_the_router(made: LabClient) -> None:
    prefix = "26 02 {lifetime} 0064ff9b0000000000000000"
    assert "0064ff9b0000000000000000" not in host_on_the_bridge(made)["message"]

    made.fault("nat64", on=True)
    assert bytes.fromhex(prefix.format(lifetime="0708")).hex() in host_on_the_bridge(made)["message"]
    get = f"import urllib.request; print(urllib.request.urlopen('http://[{spec.TRANSLATED}]/', timeout=20).read())"
    assert str(spec.OUTSIDE_ROUTER) in made.run("router", sys.executable, "-c", get).text

    made.fault("nat64", on=False)
    assert bytes.fromhex(prefix.format(lifetime="0000")).hex() in host_on_the_bridge(made)["message"]


def test_a_disk_breaks_stays_broken_and_is_mended(made: LabClient) -> None:
    disk.change(made, "one", "broken")
    until(lambda: '"file": "data-broken"' in console(made), "QEMU is told")
    made.power("one", "off")
    made.wait_for("one", lambda seen: not seen["on"], LIMIT)
    made.power("one", "on")
    until(lambda: console(made).count('"file": "data-broken"') == 2, "QEMU is told at the next power-on")

    made.fault("disk", node="one", broken=False)

    until(lambda: 'blockdev-del {"node-name": "data-broken"}' in console(made), "QEMU is told of the mending")


def test_a_disk_that_is_to_be_full_is_filled_on_the_node(made: LabClient) -> None:
    with pytest.raises(UserError, match="cannot do it to its disk"):
        disk.change(made, "one", "full")  # the fake node answers with the number of words as its status

    with pytest.raises(UserError, match="no node 'two'"):
        disk.change(made, "two", "broken")
