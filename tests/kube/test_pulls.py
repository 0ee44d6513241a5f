"""Messages of containerd as kubelet shows them, and what is said about them."""

import dataclasses
import json
from ipaddress import IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.kube import pulls
from hepto.kube.pulls import MAX_HOSTS, Addresses, Failure, explain, failures, recognise
from init.contract.status import Reason
from tests.kube.example import DATA, FULL

START = 'failed to pull and unpack image "ghcr.io/a/b:1": failed to resolve image: failed to do request: '
HEAD = f'{START}Head "https://ghcr.io/v2/a/b/manifests/1": '
CDN = 'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://cdn.example.org:443/blobs/1": '
IMAGE = "ghcr.io/a/b:1"


@pytest.mark.parametrize(
    ("image", "message", "host", "shown"),
    [
        (
            IMAGE,
            f"{HEAD}dial tcp 140.82.121.34:443: connect: network is unreachable",
            "ghcr.io",
            "network is unreachable",
        ),
        (IMAGE, f"{HEAD}dial tcp: lookup ghcr.io on [2001:db8::53]:53: no such host", "ghcr.io", "no such host"),
        (IMAGE, f"{HEAD}dial tcp: lookup ghcr.io on [::1]:53: server misbehaving", "ghcr.io", "server misbehaving"),
        (IMAGE, f"{HEAD}dial tcp: lookup ghcr.io: i/o timeout", "ghcr.io", "i/o timeout"),
        (IMAGE, f"{HEAD}dial tcp6: address ghcr.io: no suitable address found", "ghcr.io", "no suitable address found"),
        (IMAGE, f"{CDN}dial tcp 192.0.2.1:443: connect: no route to host", "cdn.example.org", "no route to host"),
        ("a:1", "network is unreachable", "docker.io", "network is unreachable"),
        ("[2001:db8::1]:5000/a", "network is unreachable", "[2001:db8::1]:5000", "network is unreachable"),
        ("localhost/a", "network is unreachable", "localhost", "network is unreachable"),
        ("library/a", "network is unreachable", "docker.io", "network is unreachable"),
        ("a/b\n\x1b[2J", "network is unreachable", "docker.io", "network is unreachable"),
    ],
)
def test_the_host_that_was_not_reached_is_found_in_the_message(image: str, message: str, host: str, shown: str) -> None:
    back_off = f'Back-off pulling image "{image}": ErrImagePull: {message}'

    for text in (message, back_off):
        failure = recognise(image, text)
        assert failure is not None
        assert (failure.host, failure.message) == (host, shown)
        assert failure.image.isprintable()


@pytest.mark.parametrize(
    "message",
    [
        "",
        f'Back-off pulling image "{IMAGE}"',
        f"{HEAD}403 Forbidden",
        f"{START}ghcr.io/a/b:1: not found",
        f"{HEAD}tls: failed to verify certificate: x509: certificate has expired",
    ],
)
def test_other_reasons_are_not_the_network_s(message: str) -> None:
    assert recognise(IMAGE, message) is None


def waiting(image: str, reason: str = "ErrImagePull", message: str = "network is unreachable") -> dict[str, Any]:
    return {"image": image, "state": {"waiting": {"reason": reason, "message": message}}}


def test_each_host_is_named_once_by_its_first_image() -> None:
    pods = [
        {"status": {"containerStatuses": [waiting("x.io/1"), waiting("x.io/2"), waiting("y.io/1", "PodInitializing")]}},
        {"status": {"initContainerStatuses": [waiting("z.io/1", "ImagePullBackOff")]}},
        {"status": {"containerStatuses": [{"image": "r.io/1", "state": {"running": {}}}]}},
        {},
    ]

    found = failures(json.dumps({"items": pods}).encode())

    assert [(failure.host, failure.image) for failure in found] == [("x.io", "x.io/1"), ("z.io", "z.io/1")]


def test_many_hosts_are_not_all_looked_up() -> None:
    pods = [{"status": {"containerStatuses": [waiting(f"{number}.io/a") for number in range(30)]}}]

    assert len(failures(json.dumps({"items": pods}).encode())) == MAX_HOSTS


@given(
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["items", "status", "containerStatuses", "state", "waiting", "reason", "image"]), inner
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode())
)
def test_what_is_no_list_of_pods_has_no_failures(body: bytes) -> None:
    assert failures(body) == ()


FAILURE = Failure(IMAGE, "ghcr.io", "network is unreachable")


@pytest.mark.parametrize(
    ("addresses", "nat64", "reason", "what", "hint"),
    [
        (Addresses.ONLY_IPV4, None, Reason.IMAGE, "no AAAA record", "hepto.registry-mirrors=ghcr.io=https://"),
        (Addresses.ONLY_IPV4, "64:ff9b::/96", Reason.RESOLVER, "makes none for NAT64 64:ff9b::/96", "DNS64"),
        (Addresses.NONE, None, Reason.RESOLVER, "ghcr.io has no address", "image's name"),
        (Addresses.UNANSWERED, None, Reason.RESOLVER, "no resolver answers for ghcr.io", "hepto.dns"),
        (Addresses.IPV6, None, Reason.IMAGE, "not reached: network is unreachable", "tried again"),
    ],
)
def test_the_status_says_what_is_wrong_and_what_to_do(
    addresses: Addresses, nat64: str | None, reason: Reason, what: str, hint: str
) -> None:
    trouble = explain(FAILURE, addresses, IPv6Network(nat64) if nat64 else None)

    assert (trouble.reason, trouble.subject) == (reason, IMAGE)
    assert what in trouble.what
    assert hint in trouble.hint


def test_the_kubelet_s_certificate_asks_for_the_pods_of_its_node_only() -> None:
    probe = pulls.probe(dataclasses.replace(FULL, master=False))

    assert probe.url.endswith("]:6443/api/v1/pods?fieldSelector=spec.nodeName%3Dmymaster&resourceVersion=0")
    assert probe.pair == f"{DATA}/pki/kubelet-client.pem"
