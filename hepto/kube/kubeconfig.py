"""Kubeconfigs. They name files and never embed data: embedded certificates are never reloaded by client-go."""

from hepto.kube.files import File, json_file
from hepto.kube.parameters import KubeParameters, rendered


def path(service: str) -> str:
    """The kubeconfig of a service."""
    return rendered(f"{service}.kubeconfig")


def client(parameters: KubeParameters, service: str, profile: str) -> File:
    """The kubeconfig of a service that is `profile` towards the apiserver."""
    return json_file(path(service), _config(parameters, profile))


def operator(parameters: KubeParameters) -> File:
    """The operator's kubeconfig on a master: an ordinary user, cluster-admin by a binding of its own."""
    return json_file(parameters.kubeconfig, _config(parameters, "admin"), 0o600)


def _config(parameters: KubeParameters, profile: str) -> dict[str, object]:
    certificates, name = parameters.certificates, parameters.plan.cluster
    pair = certificates.pair(profile)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": parameters.api_url, "certificate-authority": certificates.authority()},
            }
        ],
        "users": [{"name": profile, "user": {"client-certificate": pair, "client-key": pair}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": profile}}],
    }
