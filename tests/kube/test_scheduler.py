"""The scheduler's flags."""

from hepto.kube import kubeconfig
from hepto.kube.scheduler import NAME, plan
from tests.kube.example import FULL
from tests.kube.test_apiserver import PKI, flags

CONFIG = "/run/hepto/kube/kube-scheduler.kubeconfig"


def test_the_scheduler_is_configured_whole() -> None:
    made = plan(FULL)

    assert made.files == (kubeconfig.client(FULL, NAME, "scheduler"),)
    assert flags(made.services[NAME].argv) == {
        "kubeconfig": CONFIG,
        "authentication-kubeconfig": CONFIG,
        "authorization-kubeconfig": CONFIG,
        "bind-address": "::1",
        "secure-port": "10259",
        "tls-cert-file": f"{PKI}/scheduler.pem",
        "tls-private-key-file": f"{PKI}/scheduler.pem",
        "client-ca-file": f"{PKI}/ca.crt",
        "leader-elect": "false",
        "profiling": "false",
    }
