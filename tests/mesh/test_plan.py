from ipaddress import IPv6Address, IPv6Network

import pytest

from hepto.address import AddressPlan
from hepto.mesh.plan import Route, mesh

PLAN = AddressPlan("mycluster")


def test_the_interface_carries_the_node_address_and_unreachable_comes_first() -> None:
    found = mesh(PLAN, "node1", 7948, 1500)

    assert found.address == IPv6Address("fd6d:9999:dd30:100:ca12:f31b:8cbf:5f29")
    assert found.routes == (
        Route(IPv6Network("fd6d:9999:dd30::/48"), through_mesh=False),
        Route(IPv6Network("fd6d:9999:dd30:300::/112"), through_mesh=True),
    )


@pytest.mark.parametrize(
    ("underlay", "expected"),
    [(1500, 1420), (9000, 8920), (1400, 1320), (1360, 1280), (1300, 1280), (1280, 1280), (0, 1420)],
)
def test_the_mtu_leaves_room_for_the_outer_packet_but_never_kills_ipv6(underlay: int, expected: int) -> None:
    assert mesh(PLAN, "node1", 7948, underlay).mtu == expected
