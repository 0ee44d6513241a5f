"""The native network plugin's list."""

import dataclasses
import json

from hepto.kube.cni import LIST, plan
from hepto.kube.files import KubePlan
from hepto.kube.parameters import Cni
from tests.kube.example import FULL, PODS


def test_pods_get_a_link_an_address_and_host_ports() -> None:
    (file,) = plan(FULL).files

    assert file.path == LIST
    assert json.loads(file.data) == {
        "cniVersion": "1.0.0",
        "name": "hepto",
        "plugins": [
            {
                "type": "ptp",
                "mtu": 1420,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{"subnet": PODS}]],
                    "routes": [{"dst": "::/0"}],
                },
            },
            {"type": "portmap", "backend": "nftables", "snat": True, "capabilities": {"portMappings": True}},
        ],
    }


def test_a_pod_s_mtu_never_switches_ipv6_off() -> None:
    (file,) = plan(dataclasses.replace(FULL, mtu=1000)).files

    assert json.loads(file.data)["plugins"][0]["mtu"] == 1280


def test_ours_goes_when_the_user_has_one() -> None:
    assert plan(dataclasses.replace(FULL, cni=Cni.NONE)) == KubePlan(absent=(LIST,))
