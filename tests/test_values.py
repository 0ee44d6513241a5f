"""Values are read strictly, written back the same, and refused with a reason that shows no secret."""

import pickle
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto import values
from hepto.options import OPTIONS
from hepto.values import Anchor, BadValue, Kind, Login, Mirror, Port, Role, Secret

KEYS = st.sampled_from(values.KEY_SIZES).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(Secret)
# A strategy made of the expression itself takes four times as long for the same labels.
LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63).filter(values.LABEL.fullmatch)
HOST_NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join).filter(lambda name: not name[-1].isdigit())
ADDRESSES = st.integers(2**125, 2**126 - 1).map(IPv6Address)  # 2000::/3
PORTS = st.integers(1, 65535)
HOSTS = HOST_NAMES | ADDRESSES.map(str)
INTERFACES = (
    st.tuples(ADDRESSES, st.integers(1, 128))
    .map(IPv6Interface)
    .filter(lambda i: i.network.prefixlen > 126 or i.ip != i.network.network_address)
)

GOOD: list[tuple[Kind[Any], st.SearchStrategy[Any]]] = [
    (values.KEY, KEYS),
    (values.IDENTITY, st.binary(min_size=32, max_size=32).map(Secret)),
    (values.LABEL_NAME, LABELS),
    (values.HOST_NAME, HOST_NAMES),
    (values.HOST, HOSTS),
    (values.ADDRESS, ADDRESSES),
    (values.INTERFACE_ADDRESS, INTERFACES),
    (values.PORT, PORTS),
    (values.OPEN_PORT, st.builds(Port, st.sampled_from(["tcp", "udp"]), PORTS)),
    (values.ANCHOR, st.builds(Anchor, HOSTS, st.none() | PORTS)),
    (values.SWITCH, st.booleans()),
    (values.FINGERPRINT, st.binary(min_size=32, max_size=32).map(bytes.hex)),
    (values.many(values.PORT, "ports"), st.lists(PORTS, min_size=1, unique=True).map(tuple)),
    (values.words("a", "b", "c"), st.frozensets(st.sampled_from("abc"), min_size=1)),
    (values.choice(*Role), st.sampled_from(Role)),
]


@pytest.mark.parametrize(("kind", "strategy"), GOOD, ids=lambda value: getattr(value, "metavar", ""))
def test_what_is_written_is_read_back_the_same(kind: Kind[Any], strategy: st.SearchStrategy[Any]) -> None:
    @settings(deadline=None)
    @given(strategy)
    def check(value: object) -> None:
        assert kind.parse(kind.render(value)) == value

    check()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_any_text_is_read_or_refused_with_a_reason_and_what_was_read_is_stable(option: Any) -> None:
    @settings(deadline=None)
    @given(st.text())
    def check(text: str) -> None:
        try:
            value = option.kind.parse(text)
        except BadValue as error:
            assert str(error)
        else:
            assert option.kind.parse(option.kind.render(value)) == value

    check()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (values.KEY, "00" * 16, Secret(bytes(16))),
        (values.KEY, "Ab" * 24, Secret(b"\xab" * 24)),
        (values.KEY, "AAAAAAAAAAAAAAAAAAAAAA==", Secret(bytes(16))),
        (values.KEY, "0123456789abcdef0123456789abcdef", Secret(bytes.fromhex("0123456789abcdef" * 2))),  # base64, too
        (values.ADDRESS, "2001:DB8:0::1", IPv6Address("2001:db8::1")),
        (values.INTERFACE_ADDRESS, "2001:db8::1/64", IPv6Interface("2001:db8::1/64")),
        (values.HOST, "NTP.Example.ORG.", "ntp.example.org"),
        (values.HOST, "2001:db8:0::1", "2001:db8::1"),
        (values.ANCHOR, "one.example.org", Anchor("one.example.org", None)),
        (values.ANCHOR, "one.example.org:7000", Anchor("one.example.org", 7000)),
        (values.ANCHOR, "2001:db8::1", Anchor("2001:db8::1", None)),
        (values.ANCHOR, "[2001:db8::1]:7000", Anchor("2001:db8::1", 7000)),
        (values.ANCHOR, "[2001:db8::1]", Anchor("2001:db8::1", None)),
        (values.DIRECTORY, "/srv//hepto/", Path("/srv/hepto")),
        (values.MIRROR, "docker.io=mirror.example.org/v2/", Mirror("docker.io", "https://mirror.example.org/v2")),
        (values.MIRROR, "a.io:5000=http://[2001:db8::1]:80", Mirror("a.io:5000", "http://[2001:db8::1]:80")),
        (values.LOGIN, "Ghcr.io=me:a:b=c", Login("ghcr.io", "me", Secret(b"a:b=c"))),
        (values.LOGIN, "[2001:db8::1]:80=me:x", Login("[2001:db8::1]:80", "me", Secret(b"x"))),
        (values.SWITCH, "On", True),
        (values.SWITCH, "0", False),
        (values.many(values.ADDRESS, ""), "2001:db8::1, fe80::1", (IPv6Address("2001:db8::1"), IPv6Address("fe80::1"))),
    ],
)
def test_spellings_that_users_have(kind: Kind[Any], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (values.KEY, "secret", "neither hex"),
        (values.IDENTITY, "00" * 16, "16 bytes long, not 32"),
        (values.KEY, "00" * 20, "30 bytes long"),  # not a length of hex keys, so it is base64
        (values.KEY, "AAAA", "3 bytes long"),
        (values.KEY, "00" * 16 + "\n", "neither hex"),
        (values.LOGIN, "ghcr.io=horse", "not HOST=USER:PASSWORD"),
        (values.LOGIN, "ghcr.io=:horse", "not HOST=USER:PASSWORD"),
        (values.LOGIN, "192.0.2.1=me:horse", "IPv6 only"),
        (values.LABEL_NAME, "One", "capital letters"),
        (values.LABEL_NAME, "-one", "small letters"),
        (values.LABEL_NAME, "a" * 64, "1 to 63"),
        (values.CLUSTER, "..", "begin with a letter"),
        (values.CLUSTER, "a/b", "letters"),
        (values.ADDRESS, "192.0.2.1", "IPv6 only"),
        (values.ADDRESS, "::ffff:192.0.2.1", "not the address of a machine"),
        (values.ADDRESS, "::", "not the address of a machine"),
        (values.ADDRESS, "ff02::1", "not the address of a machine"),
        (values.ADDRESS, "fe80::1%eth0", "zone"),
        (values.HOST_NAME, "192.0.2.1", "IPv6 only"),
        (values.HOST_NAME, "a..b", "not a host name"),
        (values.HOST_NAME, ".".join(["a" * 63] * 4), "not a host name"),
        (values.INTERFACE_ADDRESS, "2001:db8::1", "prefix length"),
        (values.INTERFACE_ADDRESS, "2001:db8::1/129", "from 1 to 128"),
        (values.INTERFACE_ADDRESS, "2001:db8::1/064", "from 1 to 128"),
        (values.INTERFACE_ADDRESS, "2001:db8::/64", "address of the network"),
        (values.INTERFACE_ADDRESS, "fe80::1/64", "link-local"),
        (values.PORT, "0", "1 to 65535"),
        (values.PORT, "65536", "1 to 65535"),
        (values.PORT, "+1", "1 to 65535"),
        (values.PORT, "１", "1 to 65535"),  # a digit, but not ours
        (values.OPEN_PORT, "8443", "tcp/PORT"),
        (values.OPEN_PORT, "sctp/1", "tcp/PORT"),
        (values.INTERFACE, "wg0", "of the node itself"),
        (values.INTERFACE, "a" * 16, "not the name"),
        (values.INTERFACE, "..", "not the name"),
        (values.INTERFACE, "a/b", "not the name"),
        (values.INTERFACE, "a:b", "not the name"),
        (values.DIRECTORY, "srv", "absolute"),
        (values.DIRECTORY, "/", "below /"),
        (values.DIRECTORY, "/srv/../etc", "below /"),
        (values.MIRROR, "docker.io", "REGISTRY=MIRROR"),
        (values.MIRROR, "docker.io=ftp://x", "REGISTRY=MIRROR"),
        (values.ANCHOR, "[2001:db8::1]:0", "1 to 65535"),
        (values.SWITCH, "maybe", "yes nor no"),
        (values.choice(*Role), "boss", "not master or node or full"),
        (values.words("a", "b"), "a,,b", "not a or b"),
        (values.many(values.PORT, ""), "1,,2", "empty place"),
        (values.many(values.PORT, ""), "1,1", "twice"),
        (values.FINGERPRINT, "00" * 31, "64 hex digits"),
        (values.TEXT, "a\x1b[2Jb", "printable"),
    ],
)
def test_what_is_wrong_is_said(kind: Kind[Any], text: str, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        kind.parse(text)


def test_a_reason_never_repeats_the_value() -> None:
    with pytest.raises(BadValue) as caught:
        values.KEY.parse("correct horse battery staple")

    assert "horse" not in str(caught.value)


def test_a_secret_never_shows() -> None:
    secret = Secret(b"horse")

    for text in (str(secret), repr(secret), f"{secret}", f"{[secret]}", f"{secret!r:>20}"):
        assert "horse" not in text
        assert "686f727365" not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secrets_compare_by_their_bytes() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert len({Secret(b"a"), Secret(b"a")}) == 1


def test_roles_say_what_runs() -> None:
    assert [(role.has_control_plane, role.has_pods) for role in (Role.MASTER, Role.NODE, Role.FULL)] == [
        (True, False),
        (False, True),
        (True, True),
    ]


def test_an_interface_address_keeps_its_network() -> None:
    assert values.INTERFACE_ADDRESS.parse("2001:db8::1/64").network == IPv6Network("2001:db8::/64")
