"""What follows from the parameters alone."""

import dataclasses

from hepto.kube.parameters import rendered
from hepto.pki import store
from hepto.pki.profiles import PROFILES, Authority
from tests.kube.example import ADDRESS, DATA, FULL, PODS


def test_addresses_are_the_plan_s() -> None:
    assert (str(FULL.address), str(FULL.pods), FULL.api_url) == (ADDRESS, PODS, f"https://[{ADDRESS}]:6443")


def test_a_worker_uses_the_nearest_master() -> None:
    worker = dataclasses.replace(FULL, node="node1", master=False)

    assert worker.api_url == f"https://[{ADDRESS}]:6443"


def test_paths_lie_below_the_node_s_directory() -> None:
    assert (FULL.kubeconfig, FULL.etcd_data, rendered("x")) == (
        f"{DATA}/kubeconfig",
        f"{DATA}/etcd",
        "/run/hepto/kube/x",
    )


def test_certificates_are_where_pki_keeps_them() -> None:
    """The cores do not import each other; this holds their names together."""
    certificates = FULL.certificates

    assert [certificates.pair(profile.name) for profile in PROFILES] == [
        f"{DATA}/pki/{store.pair_name(profile)}" for profile in PROFILES
    ]
    assert [certificates.authority(which.value) for which in Authority] == [
        f"{DATA}/pki/{store.authority_name(which)}" for which in Authority
    ]
    assert certificates.service_account_key == f"{DATA}/pki/{store.SERVICE_ACCOUNT}"
    assert certificates.service_account_public == f"{DATA}/pki/{store.SERVICE_ACCOUNT_PUBLIC}"
    assert certificates.secrets_encryption == f"{DATA}/pki/{store.SECRETS_ENCRYPTION}"
