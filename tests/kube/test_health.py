"""What is asked, and what the answers mean."""

import dataclasses
import json

import pytest

from hepto.kube.health import Expect, Health, Probe, interval, judge, judge_node, node_ready, probes
from hepto.kube.parameters import Proxy
from hepto.kube.plan import plan
from init.contract.service import ReadyKind
from init.contract.status import Reason
from tests.kube.example import ADDRESS, DATA, FULL

CA, ADMIN, KUBELET = f"{DATA}/pki/ca.crt", f"{DATA}/pki/admin.pem", f"{DATA}/pki/kubelet-client.pem"
NODE = Probe("kubelet", f"https://[{ADDRESS}]:6443/api/v1/nodes/mymaster", CA, KUBELET, Expect.NODE, ADDRESS)


def test_every_question_is_to_the_node_itself() -> None:
    assert probes(FULL) == {
        "kube-apiserver": (Probe("kube-apiserver", f"https://[{ADDRESS}]:6443/readyz", CA, ADMIN),),
        "kube-controller-manager": (Probe("kube-controller-manager", "https://[::1]:10257/healthz", CA, ADMIN),),
        "kube-scheduler": (Probe("kube-scheduler", "https://[::1]:10259/readyz", CA, ADMIN),),
        "kubelet": (Probe("kubelet", "http://[::1]:10248/healthz"), NODE),
        "kube-proxy": (Probe("kube-proxy", "http://[::1]:10256/healthz"),),
        "coredns": (Probe("coredns", "http://[::1]:10853/ready"),),
    }


@pytest.mark.parametrize(("master", "worker"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("proxy", Proxy)
def test_exactly_the_services_that_wait_for_the_agent_are_asked(master: bool, worker: bool, proxy: Proxy) -> None:
    parameters = dataclasses.replace(FULL, master=master, worker=worker, proxy=proxy)

    services = plan(parameters).services

    assert set(probes(parameters)) == {
        name for name, service in services.items() if service.ready.kind is ReadyKind.AGENT
    }


def node(*addresses: str, **conditions: str) -> bytes:
    status = {
        "addresses": [{"type": "InternalIP", "address": address} for address in addresses],
        "conditions": [{"type": name, "status": value, "message": "why"} for name, value in conditions.items()],
    }
    return json.dumps({"kind": "Node", "status": status}).encode()


OK = Probe("x", "http://[::1]/")
NO_OBJECT = Health(False, Reason.NODE, "the apiserver's answer is no Node object")


@pytest.mark.parametrize(
    ("probe", "status", "body", "expected"),
    [
        (OK, 200, b"anything", Health(True)),
        (OK, 500, b"[+]ping ok\n[-]post/rbac failed: not finished\n", Health(False, what="answers 500: post/rbac")),
        (OK, 404, b"404 page not found\n", Health(False, what="answers 404: 404 page not found")),
        (OK, 403, b'{"kind": "Status", "message": "forbidden"}', Health(False, what="answers 403: forbidden")),
        (OK, 503, b"", Health(False, what="answers 503: no explanation")),
        (NODE, 200, node("hostname", ADDRESS), Health(True)),
        (NODE, 200, node(), Health(False, Reason.NODE, f"the Node object has no address {ADDRESS} yet")),
        (NODE, 200, b'{"status": {}}', Health(False, Reason.NODE, f"the Node object has no address {ADDRESS} yet")),
        (NODE, 404, b"{}", Health(False, Reason.NODE, "the apiserver answers 404 for this node's object")),
        (NODE, 200, b"[]", NO_OBJECT),
        (NODE, 200, b"\xff", NO_OBJECT),
    ],
)  # fmt: skip
def test_an_answer_means(probe: Probe, status: int, body: bytes, expected: Health) -> None:
    assert judge(probe, status, body) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, node(Ready="True"), Health(True, Reason.NODE)),
        (200, node(Ready="False"), Health(False, Reason.NODE, "why")),
        (200, node(MemoryPressure="False"), Health(False, Reason.NODE, "kubelet has not reported yet")),
        (403, b"", Health(False, Reason.NODE, "the apiserver answers 403 for this node's object")),
        (200, b"null", NO_OBJECT),
    ],
)
def test_a_node_is_ready_when_it_says_so(status: int, body: bytes, expected: Health) -> None:
    assert judge_node(status, body) == expected


def test_the_node_is_asked_for_with_its_own_certificate() -> None:
    assert node_ready(FULL) == NODE


@pytest.mark.parametrize(
    ("ready", "took", "expected"),
    [(False, 0.001, 0.25), (False, 0.2, 1.8), (False, 5.0, 5.0), (True, 5.0, 10.0)],
    ids=["fast", "slow", "hanging", "ready"],
)
def test_probing_never_slows_the_start_of_what_it_waits_for(ready: bool, took: float, expected: float) -> None:
    assert interval(ready=ready, took=took) == expected
