"""The bytes of WireGuard's netlink family, compared with pyroute2's, which is not on the node."""

import struct
from base64 import b64encode
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.generic.wireguard import wgmsg

from hepto.edge.netlink import attribute, attribute_list, attributes, nested
from hepto.edge.wireguard import (
    ALLOWED_AT_ONCE,
    Device,
    Found,
    PeerChange,
    peer_messages,
    read_dump,
)
from hepto.wireguard import Endpoint, KernelPeer

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))
ENDPOINT = Endpoint(IPv6Address("2001:db8::7"), 7948)
NODE, PODS = IPv6Network("fd00:0:0:100::7/128"), IPv6Network("fd00:0:0:207::/112")


def read_back(body: bytes) -> dict[str, Any]:
    """What pyroute2 reads in a message of ours."""
    message = wgmsg(struct.pack("=LHHLL", 16 + len(body), 0, 0, 0, 0) + body)
    message.decode()
    return dict(message["attrs"])


def peers_of(body: bytes) -> list[dict[str, Any]]:
    return [dict(peer["attrs"]) for peer in read_back(body)["WGDEVICE_A_PEERS"]]


def test_pyroute2_reads_the_peer_that_is_set() -> None:
    (body,) = peer_messages("wg0", [PeerChange(ONE, new=True, endpoint=ENDPOINT, allowed=(NODE, PODS), keepalive=25)])

    (peer,) = peers_of(body)

    assert read_back(body)["WGDEVICE_A_IFNAME"] == "wg0"
    assert "WGDEVICE_A_FLAGS" not in read_back(body), "its one flag would remove all other peers"
    assert peer["WGPEER_A_PUBLIC_KEY"] == b64encode(ONE)
    assert peer["WGPEER_A_FLAGS"] == 2
    assert (peer["WGPEER_A_ENDPOINT"]["addr"], peer["WGPEER_A_ENDPOINT"]["port"]) == ("2001:db8::7", 7948)
    assert peer["WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL"] == 25
    assert [item["addr"] for item in peer["WGPEER_A_ALLOWEDIPS"]] == [str(NODE), str(PODS)]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_is_no_key_is_not_made_one(size: int) -> None:
    with pytest.raises(ValueError, match=f"key of {size} bytes"):
        list(peer_messages("wg0", [PeerChange(bytes(size))]))


def test_a_change_says_what_changes_and_makes_no_peer() -> None:
    (body,) = peer_messages("wg0", [PeerChange(ONE, endpoint=ENDPOINT), PeerChange(OTHER, remove=True)])

    changed, removed = peers_of(body)

    assert set(changed) == {"WGPEER_A_PUBLIC_KEY", "WGPEER_A_FLAGS", "WGPEER_A_ENDPOINT"}
    assert changed["WGPEER_A_FLAGS"] == 4
    assert set(removed) == {"WGPEER_A_PUBLIC_KEY", "WGPEER_A_FLAGS"}
    assert removed["WGPEER_A_FLAGS"] == 1


def test_no_allowed_ips_at_all_is_a_change_too() -> None:
    (body,) = peer_messages("wg0", [PeerChange(ONE, allowed=())])

    (peer,) = peers_of(body)

    assert peer["WGPEER_A_FLAGS"] == 2 | 4
    assert "WGPEER_A_ALLOWEDIPS" not in peer


def test_thousands_of_peers_go_in_pieces_in_their_order() -> None:
    keys = [number.to_bytes(32, "big") for number in range(10_000)]

    bodies = list(
        peer_messages("wg0", (PeerChange(key, new=True, endpoint=ENDPOINT, allowed=(NODE, PODS)) for key in keys))
    )

    assert all(len(body) < 1 << 16 for body in bodies)
    found = [attributes(item)[1] for body in bodies for _, item in attribute_list(attributes(body[4:])[8])]
    assert found == keys


def test_a_peer_with_thousands_of_allowed_ips_goes_in_pieces_too() -> None:
    allowed = tuple(IPv6Network((number << 16, 112)) for number in range(1, 3 * ALLOWED_AT_ONCE))

    bodies = list(peer_messages("wg0", [PeerChange(ONE, new=True, allowed=allowed)]))

    assert len(bodies) > 1
    assert all(len(body) < 1 << 16 for body in bodies)
    peers = [peer for body in bodies for peer in peers_of(body)]
    assert [peer["WGPEER_A_FLAGS"] for peer in peers] == [2, 4, 4], "only the first replaces"
    found = [IPv6Network(item["addr"]) for peer in peers for item in peer["WGPEER_A_ALLOWEDIPS"]]
    assert found == list(allowed)


def test_a_dump_of_pyroute2_is_read() -> None:
    message = wgmsg()
    message["attrs"] = [
        ["WGDEVICE_A_IFNAME", "wg0"],
        ["WGDEVICE_A_PRIVATE_KEY", b64encode(OTHER)],
        ["WGDEVICE_A_PUBLIC_KEY", b64encode(ONE)],
        ["WGDEVICE_A_LISTEN_PORT", 7948],
        [
            "WGDEVICE_A_PEERS",
            [
                {
                    "attrs": [
                        ["WGPEER_A_PUBLIC_KEY", b64encode(OTHER)],
                        ["WGPEER_A_ENDPOINT", {"addr": "2001:db8::7", "port": 7948}],
                        ["WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL", 25],
                        ["WGPEER_A_LAST_HANDSHAKE_TIME", {"tv_sec": 1_700_000_000, "tv_nsec": 500_000_000}],
                        ["WGPEER_A_RX_BYTES", 1 << 40],
                        ["WGPEER_A_TX_BYTES", 148],
                        ["WGPEER_A_ALLOWEDIPS", [allowed(NODE), allowed(PODS)]],
                    ]
                }
            ],
        ],
    ]
    message.encode()

    found = read_dump([bytes(message.data)[16:]])

    assert found == Found(
        "wg0",
        7948,
        ONE,
        (KernelPeer(OTHER, ENDPOINT, (NODE, PODS), 25, 1_700_000_000.5, 1 << 40, 148),),
    )


def allowed(network: IPv6Network) -> dict[str, Any]:
    return {
        "attrs": [
            ["WGALLOWEDIP_A_FAMILY", 10],
            ["WGALLOWEDIP_A_IPADDR", network.network_address.packed],
            ["WGALLOWEDIP_A_CIDR_MASK", network.prefixlen],
        ]
    }


def entry(network: IPv6Network) -> bytes:
    packed = attribute(2, network.network_address.packed)
    return nested(0, attribute(1, struct.pack("=H", 10)), packed, attribute(3, bytes((network.prefixlen,))))


def test_a_peer_goes_on_in_the_next_message_and_none_is_lost() -> None:
    # drivers/net/wireguard/netlink.c: of a peer that goes on only the key is repeated, of the device its name.
    device = bytes(4) + attribute(2, b"wg0\0")
    keys = [number.to_bytes(32, "big") for number in range(1, 101)]
    bodies = []
    for first, second in pairwise(keys):
        going_on = nested(0, attribute(1, first), nested(9, entry(PODS)))
        begun = nested(0, attribute(1, second), attribute(5, struct.pack("=H", 25)), nested(9, entry(NODE)))
        bodies.append(device + nested(8, going_on, begun))
    bodies.append(device + nested(8, nested(0, attribute(1, keys[-1]), nested(9, entry(PODS)))))

    found = read_dump(bodies)

    assert [peer.public_key for peer in found.peers] == keys
    assert found.peers[0].allowed == (PODS,)
    assert all((peer.allowed, peer.keepalive) == ((NODE, PODS), 25) for peer in found.peers[1:])


def test_an_ipv4_endpoint_is_shown_for_what_it_is() -> None:
    sockaddr = struct.pack("=H", 2) + struct.pack("!H", 51820) + bytes((192, 0, 2, 1)) + bytes(8)

    found = read_dump([bytes(4) + nested(8, nested(0, attribute(1, ONE), attribute(4, sockaddr)))])

    assert found.peers[0].endpoint == Endpoint(IPv6Address("::ffff:192.0.2.1"), 51820)


@given(st.binary(max_size=300))
def test_any_bytes_end_the_reading_and_raise_nothing(data: bytes) -> None:
    read_dump([data])
    read_dump([bytes(4) + nested(8, data), bytes(4) + nested(8, nested(0, attribute(4, data), attribute(9, data)))])
    read_dump([bytes(4) + nested(8, nested(0, nested(9, nested(0, data))), nested(0, nested(9, data)))])


def test_a_private_key_is_not_shown() -> None:
    assert "private_key" not in repr(Device("wg0", 7948, ONE))
