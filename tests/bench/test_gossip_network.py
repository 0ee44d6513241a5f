import json

import pytest

from bench import gossip_network
from bench.gossip_network import Traffic

# As nftables 1.0.6 prints it.
ANSWER = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
            {
                "counter": {
                    "family": "inet",
                    "name": "udp_sent",
                    "table": "bench",
                    "handle": 1,
                    "packets": 7,
                    "bytes": 900,
                }
            },
            {
                "counter": {
                    "family": "inet",
                    "name": "tcp_sent",
                    "table": "bench",
                    "handle": 2,
                    "packets": 3,
                    "bytes": 400,
                }
            },
            {
                "counter": {
                    "family": "inet",
                    "name": "icmp_sent",
                    "table": "bench",
                    "handle": 3,
                    "packets": 0,
                    "bytes": 0,
                }
            },
        ]
    }
)


@pytest.mark.parametrize(("number", "address"), [(1, "fd00:9::1"), (60, "fd00:9::3c")])
def test_every_member_has_an_address_of_its_own(number: int, address: str) -> None:
    assert gossip_network.address(number) == address


def test_counters_are_read_by_name() -> None:
    counted = gossip_network.parse_counters(ANSWER)

    assert counted == {"udp": Traffic(7, 900), "tcp": Traffic(3, 400), "icmp": Traffic(0, 0)}


def test_traffic_is_the_difference_of_two_readings() -> None:
    before = gossip_network.parse_counters(ANSWER)
    after = {**before, "udp": Traffic(17, 2900)}

    grown = gossip_network.difference(before, after)

    assert grown == {"udp": Traffic(10, 2000), "tcp": Traffic(0, 0), "icmp": Traffic(0, 0)}
