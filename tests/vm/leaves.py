"""The leaf certificates of a cluster's nodes: those that they keep in files, and those that their servers show."""

import json

from tests.vm.harness import Node
from tests.vm.kubernetes import Nodes

Serials = dict[str, int]
"""By file."""

KEPT = """
import json, pathlib, sys
from cryptography import x509
pki = pathlib.Path(sys.argv[1])
found = {}
for path in pki.glob("*.pem"):
    data = path.read_bytes()
    if b"BEGIN CERTIFICATE" in data and not path.name.startswith(("ca.", "etcd-ca.", "front-proxy-ca.")):
        found[path.name] = x509.load_pem_x509_certificate(data).serial_number
print(json.dumps(found))
"""
SHOWN = """
import json, socket, ssl, sys
from cryptography import x509
def shown(host, port):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), 20) as line, tls.wrap_socket(line) as secure:
        return x509.load_der_x509_certificate(secure.getpeercert(True)).serial_number
places = json.load(sys.stdin)
print(json.dumps({name: {file: shown(*place) for file, place in files.items()} for name, files in places.items()}))
"""
MASTER_SHOWS = {"apiserver.pem": 6443, "kubelet-server.pem": 10250, "node-api.pem": 7947}
WORKER_SHOWS = {"kubelet-server.pem": 10250, "node-api.pem": 7947}


def kept(node: Node) -> Serials:
    """Of every leaf that the node has."""
    found: Serials = json.loads(node.python(KEPT, f"{node.directory}/pki"))
    return found


def shown(nodes: Nodes) -> dict[str, Serials]:
    """By node: what its servers show to the first node, across the mesh. The first is the master."""
    first, *_ = nodes.values()
    places = {
        name: {
            file: (node.mesh_address(), port)
            for file, port in (MASTER_SHOWS if node is first else WORKER_SHOWS).items()
        }
        for name, node in nodes.items()
    }
    found: dict[str, Serials] = json.loads(first.python(SHOWN, stdin=json.dumps(places).encode()))
    return found
