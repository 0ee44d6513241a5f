"""CoreDNS's configuration."""

import dataclasses
from ipaddress import IPv6Network

from hepto.kube import kubeconfig
from hepto.kube.coredns import corefile, plan
from tests.kube.example import FULL

COREFILE = """\
.:53 {
    bind fd6d:9999:dd30:100:b6c5:f112:b311:6200
    errors
    ready [::1]:10853
    prometheus [::1]:10852
    kubernetes cluster.local fd6d:9999:dd30:300::/112 fd6d:9999:dd30:200::/56 {
        kubeconfig /run/hepto/kube/coredns.kubeconfig
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . 2001:db8:1::1 fe80::1%eth0
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    reload 5s 2s
    loadbalance
}
"""


def test_the_corefile_is_whole() -> None:
    assert corefile(FULL).data.decode() == COREFILE


def test_a_node_without_resolvers_still_answers_for_the_cluster() -> None:
    text = corefile(dataclasses.replace(FULL, resolvers=())).data.decode()

    assert text == COREFILE.replace(
        "forward . 2001:db8:1::1 fe80::1%eth0", "template ANY ANY . {\n        rcode SERVFAIL\n    }"
    )


def test_a_nat64_prefix_makes_addresses_for_names_that_have_none() -> None:
    text = corefile(dataclasses.replace(FULL, nat64=IPv6Network("64:ff9b::/96"))).data.decode()

    assert text == COREFILE.replace("    forward", "    dns64 64:ff9b::/96\n    forward")


def test_another_nat64_prefix_restarts_nothing() -> None:
    before, after = (plan(dataclasses.replace(FULL, nat64=nat64)) for nat64 in (None, IPv6Network("2001:db8:64::/96")))

    assert before.files != after.files
    assert not before.services["coredns"].restarts(after.services["coredns"])


def test_no_more_resolvers_than_the_plugin_takes() -> None:
    many = tuple(f"2001:db8::{number:x}" for number in range(1, 30))

    text = corefile(dataclasses.replace(FULL, resolvers=many)).data.decode()

    assert f"    forward . {' '.join(many[:15])}\n" in text


def test_coredns_may_bind_port_53_and_nothing_else() -> None:
    made = plan(FULL)

    assert made.files == (corefile(FULL), kubeconfig.client(FULL, "coredns", "coredns"))
    service = made.services["coredns"]
    assert service.argv == ("/usr/lib/hepto/stack/coredns", "-conf", "/run/hepto/kube/Corefile")
    assert (service.capabilities, service.restart_key) == (("CAP_NET_BIND_SERVICE",), "")


def test_without_an_apiserver_beside_it_coredns_waits_by_itself() -> None:
    assert plan(dataclasses.replace(FULL, master=False)).services["coredns"].after == ()
