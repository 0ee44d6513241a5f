"""The kubeconfig of a node for its own host: through the relay, with the administrator's certificate by file."""

import json

from hepto.host.plan import Plan
from hepto.kube.parameters import Certificates


def kubeconfig(plan: Plan, port: int) -> bytes:
    """A kubeconfig. The apiserver's certificate does not name ::1, but the node."""
    certificates, cluster = Certificates(f"{plan.data}/pki"), plan.cluster
    pair = certificates.pair("admin")
    server = {
        "server": f"https://[::1]:{port}",
        "certificate-authority": certificates.authority(),
        "tls-server-name": plan.name,
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": "admin", "user": {"client-certificate": pair, "client-key": pair}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "admin"}}],
    }
    return json.dumps(config, indent=1).encode() + b"\n"
