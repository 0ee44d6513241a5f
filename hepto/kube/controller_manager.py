"""kube-controller-manager: no key of the CA and no signing controller (there is one signer: hepto)."""

from hepto.kube import component
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters

NAME = "kube-controller-manager"
PORT = 10257
VOLUME_PLUGINS = "/var/lib/kubelet/volumeplugins"
"""It makes this directory; its default lies in the read-only root."""

DISABLED = (
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "node-ipam-controller",
)
"""Unknown names are fatal: the test compares them with the program's own list."""


def plan(parameters: KubeParameters) -> KubePlan:
    """Started when the apiserver has its RBAC roles: before that it exits."""
    certificates = parameters.certificates
    # fmt: off
    flags = (
        "--root-ca-file", certificates.authority(),
        "--service-account-private-key-file", certificates.service_account_key,
        "--use-service-account-credentials",
        "--allocate-node-cidrs=false",
        "--cluster-cidr", str(parameters.plan.pods),
        "--service-cluster-ip-range", str(parameters.plan.services),
        "--cluster-name", parameters.plan.cluster,
        "--controllers", ",".join(("*", *(f"-{name}" for name in DISABLED))),
        "--flex-volume-plugin-dir", VOLUME_PLUGINS,
    )
    # fmt: on
    return component.plan(parameters, NAME, PORT, *flags)
