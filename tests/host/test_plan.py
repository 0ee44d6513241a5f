"""What a node is given: all that is in force for it, as it was written, and nothing of the host."""

import json

import pytest

from hepto.given import Given, Source, SourceKind
from hepto.host import access, plan

FLAG, ENVIRONMENT = Source(SourceKind.FLAG), Source(SourceKind.ENVIRONMENT)
KEY = b"00" * 32
PLAN = plan.Plan(
    name="n1",
    cluster="demo",
    role="full",
    iface="eth1",
    image="/opt/root.erofs",
    data="/srv/hepto/demo/n1",
    credentials={"flag": {"hepto.cluster": b"demo"}, "environment": {"hepto.key": KEY}},
)


def test_a_flag_outranks_the_environment_and_each_value_keeps_its_source() -> None:
    found = plan.credentials(
        [
            Given("cluster", b"demo", FLAG),
            Given("CLUSTER".lower(), b"other", ENVIRONMENT),
            Given("key", KEY, ENVIRONMENT),
            Given("insecure", None, FLAG),
        ],
        "n1",
    )

    assert found["environment"] == {"hepto.key": KEY}
    assert found["flag"] == {
        "hepto.cluster": b"demo",
        "hepto.insecure": b"yes",
        "hepto.name": b"n1",
        "hepto.iface": b"eth0",
    }


def test_of_two_flags_the_last_counts() -> None:
    found = plan.credentials([Given("cluster", b"a", FLAG), Given("cluster", b"b", FLAG)], "n1")

    assert found["flag"]["hepto.cluster"] == b"b"


def test_what_is_about_the_host_stays_here() -> None:
    given = [Given("iface", b"enp3s0", FLAG), Given("data", b"/srv/hepto", FLAG), Given("api_port", b"1", FLAG)]

    found = plan.credentials([*given, Given("lab", b"no option", ENVIRONMENT)], "n1")

    assert found["flag"] == {"hepto.name": b"n1", "hepto.iface": b"eth0", "hepto.api-port": b"1"}
    assert found["environment"] == {}


def test_a_plan_goes_over_a_pipe_and_shows_no_secret() -> None:
    line = plan.dump(PLAN)

    assert line.count(b"\n") == 1
    assert plan.load(line) == PLAN
    assert KEY.decode() not in repr(PLAN)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"credentials": {}}', b'{"credentials": 7}'])
def test_what_is_no_plan_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        plan.load(line)


def test_the_hardware_address_follows_from_the_names_and_is_nobody_s() -> None:
    first = bytes.fromhex(PLAN.hardware_address.replace(":", ""))

    assert len(first) == 6
    assert first[0] & 3 == 2  # locally administered, not a group
    assert PLAN.hardware_address == plan.load(plan.dump(PLAN)).hardware_address
    assert PLAN.hardware_address != plan.Plan("n2", *list(vars(PLAN).values())[1:]).hardware_address


def test_the_kubeconfig_leads_through_the_relay_and_names_the_node() -> None:
    found = json.loads(access.kubeconfig(PLAN, 6444))

    (cluster,) = found["clusters"]
    assert cluster["cluster"]["server"] == "https://[::1]:6444"
    assert cluster["cluster"]["tls-server-name"] == "n1"
    assert cluster["cluster"]["certificate-authority"] == "/srv/hepto/demo/n1/pki/ca.crt"
    assert found["users"][0]["user"]["client-key"] == "/srv/hepto/demo/n1/pki/admin.pem"
