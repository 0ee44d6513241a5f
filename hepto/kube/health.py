"""How the agent finds out that a service is ready: requests as data, and what their answers mean. Pure.

PID 1 has neither certificates nor HTTP, so services with readiness kind `agent` are asked here. A service is ready when
all of its probes are met, in order; the first that is not says what it waits for.
"""

import json
from dataclasses import dataclass
from enum import Enum

from hepto.kube import apiserver, controller_manager, coredns, kubelet, proxy, scheduler
from hepto.kube.parameters import KubeParameters, Proxy
from init.contract.status import Reason

STARTING_INTERVAL = 0.25
"""Seconds between two probes of a service that is not ready: the boot waits for the answer."""
SHARE = 10
"""Probing a service that is not ready takes at most a tenth of the time: on a slow machine it would slow the start."""
LONGEST_INTERVAL = 5.0
READY_INTERVAL = 10.0
"""Seconds between two probes of a ready service."""
TIMEOUT = 5.0
FAILURES = 3
"""So many probes in a row must fail before a ready service is called not ready."""


class Expect(Enum):
    OK = "status 200"
    NODE = "a Node object with its address"


@dataclass(frozen=True)
class Probe:
    service: str
    url: str
    authority: str = ""
    """File with the CA of an https URL."""
    pair: str = ""
    """File with certificate and key that the agent shows."""
    expect: Expect = Expect.OK
    address: str = ""
    """The address that the Node object must have."""


@dataclass(frozen=True)
class Health:
    """`what` says what is wrong, for a person; empty when ready."""

    ready: bool
    reason: Reason = Reason.SERVICE
    what: str = ""


def probes(parameters: KubeParameters) -> dict[str, tuple[Probe, ...]]:
    """By service, for every service whose readiness is the agent's."""
    found: dict[str, tuple[Probe, ...]] = {}
    if parameters.master:
        api = f"{parameters.api_url}/readyz"
        found[apiserver.NAME] = (_secure(parameters, apiserver.NAME, api, "admin"),)
        for name, url in (
            (controller_manager.NAME, f"https://[::1]:{controller_manager.PORT}/healthz"),  # it has no /readyz
            (scheduler.NAME, f"https://[::1]:{scheduler.PORT}/readyz"),
        ):
            found[name] = (_secure(parameters, name, url, "admin"),)
    if parameters.worker:
        found[kubelet.NAME] = (
            Probe(kubelet.NAME, f"http://[::1]:{kubelet.HEALTH_PORT}/healthz"),
            _node(parameters),
        )
        if parameters.proxy is Proxy.NATIVE:
            found[proxy.NAME] = (Probe(proxy.NAME, f"http://[::1]:{proxy.HEALTH_PORT}/healthz"),)
        found[coredns.NAME] = (Probe(coredns.NAME, f"http://[::1]:{coredns.READY_PORT}/ready"),)
    return found


def node_ready(parameters: KubeParameters) -> Probe:
    """Asks for this node's own Node object: `judge_node` tells whether it is Ready."""
    return _node(parameters)


def master_ready(parameters: KubeParameters) -> Probe:
    """Asks the apiserver that this node uses whether it serves, by the kubelet's own certificate."""
    return _secure(parameters, apiserver.NAME, f"{parameters.api_url}/readyz", "kubelet-client")


def interval(*, ready: bool, took: float) -> float:
    """Seconds until the next probe, after one that took `took` seconds."""
    return READY_INTERVAL if ready else min(max(STARTING_INTERVAL, took * (SHARE - 1)), LONGEST_INTERVAL)


def judge(probe: Probe, status: int, body: bytes) -> Health:
    """What an answer means."""
    if status != 200:
        if probe.expect is Expect.NODE:
            return Health(False, Reason.NODE, f"the apiserver answers {status} for this node's object")
        return Health(False, what=f"answers {status}: {_reason(body)}")
    if probe.expect is Expect.OK:
        return Health(True)
    try:
        addresses = {entry["address"] for entry in json.loads(body)["status"].get("addresses", ())}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Health(False, Reason.NODE, "the apiserver's answer is no Node object")
    if probe.address not in addresses:
        return Health(False, Reason.NODE, f"the Node object has no address {probe.address} yet")
    return Health(True)


def judge_node(status: int, body: bytes) -> Health:
    """Ready or not, from the Node object; `what` is kubelet's own message."""
    if status != 200:
        return Health(False, Reason.NODE, f"the apiserver answers {status} for this node's object")
    try:
        conditions = {entry["type"]: entry for entry in json.loads(body)["status"].get("conditions", ())}
        ready = conditions.get("Ready", {"status": "Unknown", "message": "kubelet has not reported yet"})
        return Health(ready["status"] == "True", Reason.NODE, "" if ready["status"] == "True" else ready["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Health(False, Reason.NODE, "the apiserver's answer is no Node object")


def _secure(parameters: KubeParameters, service: str, url: str, profile: str) -> Probe:
    certificates = parameters.certificates
    return Probe(service, url, certificates.authority(), certificates.pair(profile))


def _node(parameters: KubeParameters) -> Probe:
    """With the kubelet's own certificate, which may read its own node and nothing more."""
    certificates = parameters.certificates
    return Probe(
        service=kubelet.NAME,
        url=f"{parameters.api_url}/api/v1/nodes/{parameters.node}",
        authority=certificates.authority(),
        pair=certificates.pair("kubelet-client"),
        expect=Expect.NODE,
        address=str(parameters.address),
    )


def _reason(body: bytes) -> str:
    """What failed, from a Status object or from the list that a failing /readyz prints; one short line."""
    try:
        return str(json.loads(body)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        pass
    lines = body[:4096].decode(errors="replace").splitlines()
    failed = [line.removeprefix("[-]").split(" ", 1)[0] for line in lines if line.startswith("[-]")]
    return ", ".join(failed) or (lines[0][:200] if lines else "no explanation")
