import json
import ssl
import stat
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hepto.api.operators import Ordered, Verb
from hepto.cli import kubeconfig
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.pki import store
from tests.api.example import CLUSTER, NOW, STRANGER
from tests.cli.outside import NAME, Outside, outside
from tests.pki.example import key

SERVERS = ["https://[2001:db8::1]:6443", "https://[::1]:6443"]


class Master:
    """Signs for a day, or does it wrong."""

    issuer = CLUSTER
    other_key = False

    async def sign(self, arguments: tuple[str, ...], ordered: Ordered) -> object:
        request = x509.load_pem_x509_csr(arguments[0].encode())
        public = key().public_key() if self.other_key else request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hepto:operator:{ordered.fingerprint[:20]}")])
        certificate = (
            x509.CertificateBuilder(self.issuer.certificate.subject, name, public, 7, NOW, NOW + timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self.issuer.key, hashes.SHA256())
        )
        return {"certificate": certificate.public_bytes(Encoding.PEM).decode(), "servers": SERVERS}


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: Master) -> Iterator[Outside]:
    with outside(tmp_path, monkeypatch, {Verb.KUBECONFIG: master.sign}) as found:
        yield found


def run(machine: Outside, *words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(machine.words("kubeconfig", "--ca", machine.ca, *words))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_it_names_an_address_that_was_reached_and_files_beside_it(
    machine: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    path = machine.home / f"state/hepto/clusters/{NAME}/kubeconfig"

    assert run(machine, capsys=capsys) == (ExitCode.DONE, f"{path}\n", "")
    config = json.loads(path.read_text())
    (cluster,), (user,) = config["clusters"], config["users"]
    assert cluster["cluster"] == {
        "server": "https://[::1]:6443",
        "certificate-authority": "kubeconfig-ca.crt",
        "tls-server-name": "kubernetes.default.svc",
    }
    assert user["user"] == {"client-certificate": "kubeconfig-key.pem", "client-key": "kubeconfig-key.pem"}
    for name in ("kubeconfig", "kubeconfig-ca.crt", "kubeconfig-key.pem"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(path.parent / "kubeconfig-key.pem")
    context.load_verify_locations(path.parent / "kubeconfig-ca.crt")


def test_machines_are_told_where_and_until_when(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    output = machine.home / "deep/demo.kubeconfig"

    found = json.loads(run(machine, "--output", str(output), "--json", capsys=capsys)[1])

    assert found == {
        "kubeconfig": str(output),
        "cluster": NAME,
        "server": "https://[::1]:6443",
        "expires": store.load_pair(
            (output.parent / "demo.kubeconfig-key.pem").read_bytes()
        ).certificate.not_valid_after_utc.isoformat(),
    }


@pytest.mark.parametrize("wrong", ["issuer", "key"])
def test_a_certificate_that_is_not_ours_is_not_written(
    machine: Outside, master: Master, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if wrong == "issuer":
        master.issuer = STRANGER
    else:
        master.other_key = True

    code, _, error = run(machine, capsys=capsys)

    assert code == ExitCode.FAILED
    assert "another key's" in error
    assert not (machine.home / f"state/hepto/clusters/{NAME}/kubeconfig").exists()


def test_the_first_server_is_taken_if_none_was_reached() -> None:
    assert kubeconfig.choose(SERVERS, []) == SERVERS[0]
    assert kubeconfig.choose(SERVERS, [IPv6Address("::1")]) == SERVERS[1]


@pytest.mark.parametrize(
    "servers", [[], ["http://[::1]:6443"], ["https://[::1]:6443/x"], ["file:///etc"], ["https://a:1"]]
)
def test_what_is_no_server_is_refused(servers: list[str]) -> None:
    with pytest.raises(ValueError):
        kubeconfig.choose(servers, [])
