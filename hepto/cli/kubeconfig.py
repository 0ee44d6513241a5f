"""`hepto kubeconfig`: an operator's own kubeconfig, for a day. The key is made here and never leaves.

The server is named by its address on the underlay and verified as `kubernetes.default.svc`: a master that was
renumbered needs no new certificate, and no node's serving certificate can pose as the API (trust.md section 6).
"""

from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hepto.cli.output import print_json
from hepto.cli.remote import Remote, remote_options
from hepto.errors import UserError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from hepto.cli.operator import Session

SERVER_NAME = "kubernetes.default.svc"


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where it goes, with two files."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@remote_options
def command(remote: Remote, output: Path | None, as_json: bool) -> None:
    """Fetch a kubeconfig that makes you an administrator for a day, proving that you hold an operator's SSH key.

    It goes to FILE, by default below ~/.local/state/hepto, its key and the cluster's CA beside it; do it again when
    the day is over, or when the master was renumbered.

    \b
    Examples:
      hepto kubeconfig --anchor one.example.org --key @demo.key
      export KUBECONFIG=$(hepto kubeconfig --anchor one.example.org)
      hepto kubeconfig --output demo.kubeconfig --json | jq -r .server
    """
    session = remote.session()
    path = (output or session.directory / "kubeconfig").absolute()
    found = fetch(session, path)
    if as_json:
        print_json(found)
    else:
        click.echo(found["kubeconfig"])


def fetch(session: "Session", path: Path) -> dict[str, Any]:
    """Ask a master, and write the three files; what is printed. Raises UserError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    from hepto.api.operators import Verb
    from hepto.api.relay import MASTER

    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    answer = session.order(MASTER, Verb.KUBECONFIG, request.public_bytes(Encoding.PEM).decode())
    try:
        certificate = _certificate(session, answer["certificate"], key)
        server = choose([str(url) for url in answer["servers"]], [one.address for one in session.operator.candidates])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the master's answer is of no use: {error}", "is it of the same version of hepto, and its network up?"
        ) from None
    write(path, session, certificate, key, server)
    expires = certificate.not_valid_after_utc.isoformat()
    return {"kubeconfig": str(path), "cluster": session.config.cluster, "server": server, "expires": expires}


def _certificate(session: "Session", pem: str, key: "ec.EllipticCurvePrivateKey") -> "x509.Certificate":
    from hepto.pki import store, verify

    certificate = store.load_certificate(pem.encode())
    if certificate.public_key() != key.public_key() or not verify.signed_by(certificate, session.authority):
        raise ValueError("the certificate is another key's, or another CA's")
    return certificate


def choose(servers: list[str], reached: list[IPv6Address]) -> str:
    """The apiserver's URL to write down: at an address that has just been reached if there is one, else the first.

    Raises ValueError when there is none, or one is no URL of a server.
    """
    places = {url: urlsplit(url) for url in servers}
    for url, place in places.items():
        if place.scheme != "https" or place.hostname is None or place.path or not place.port:
            raise ValueError(f"{url} is no server")
    if not places:
        raise ValueError("it names no address of the apiserver")
    return next((url for url, place in places.items() if IPv6Address(place.hostname or "") in reached), servers[0])


def write(
    path: Path, session: "Session", certificate: "x509.Certificate", key: "ec.EllipticCurvePrivateKey", server: str
) -> None:
    """The files, each whole or not at all; the kubeconfig last, for it names the others."""
    import json

    from hepto.pki import store
    from hepto.pki.store import Pair
    from init.contract import durable

    authority, pair = f"{path.name}-ca.crt", f"{path.name}-key.pem"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    durable.write(str(path.parent / authority), store.certificate_pem(session.authority))
    durable.write(str(path.parent / pair), Pair(certificate, key).pem())
    config = json.dumps(render(session.config.cluster, server, authority, pair), indent=2)
    durable.write(str(path), config.encode() + b"\n")


def render(cluster: str, server: str, authority: str, pair: str) -> dict[str, object]:
    """The kubeconfig. kubectl looks for the files beside it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority": authority, "tls-server-name": SERVER_NAME},
            }
        ],
        "users": [{"name": "operator", "user": {"client-certificate": pair, "client-key": pair}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "operator"}}],
    }
