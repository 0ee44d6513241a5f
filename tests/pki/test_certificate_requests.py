"""The signer decides every field: what a certificate request says beside its key is as if it were not said."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import join
from hepto.pki.profiles import BY_NAME
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.signer import enrolled_subject
from hepto.pki.verify import flaw
from hepto.values import Role
from tests.pki.example import NOW, PROFILES, WORKER, Master, Node, forged, key

ANY_MASTER = Master()


@pytest.fixture
def master() -> Master:
    return Master()


def asked(master: Master, node: Node, csrs: dict[str, bytes]) -> join.Response:
    """The answer to a join with these certificate requests."""
    answer = master.signer.join(forged(master, node, join.encode(node.request(csrs))), NOW)
    return join.read_response(join.read_answered(answer.body).response)


def csr(
    own: ec.EllipticCurvePrivateKey,
    common_name: str = "",
    organisation: str = "",
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> bytes:
    names = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name)]
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in names if value])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.DER)


SOME_CSR = csr(key(), "node1", "system:nodes", (x509.SubjectAlternativeName([x509.DNSName("node1")]),))


def issued(master: Master, profile: str, request: bytes) -> x509.Certificate:
    response = asked(master, Node(), {profile: request})
    assert response.certificates is not None
    return x509.load_der_x509_certificate(response.certificates[profile])


def test_cve_2022_36103_another_name_in_the_request_is_ignored(master: Master) -> None:
    """Talos: a worker's CSR asked for names of the control plane, and got them."""
    own = key()
    alternative = x509.SubjectAlternativeName(
        [x509.DNSName("kubernetes.default.svc"), x509.UniformResourceIdentifier("hepto:master:mymaster")]
    )

    certificate = issued(master, "node-api", csr(own, "mymaster", "", (alternative,)))

    assert flaw(certificate, BY_NAME["node-api"], WORKER, master.issuer.certificate, NOW) is None
    assert certificate.public_key() == own.public_key()


def test_cve_2023_32187_system_masters_in_the_request_is_ignored(master: Master) -> None:
    """A request for an administrator's certificate by somebody who may only have a node's."""
    certificate = issued(master, "kubelet-client", csr(key(), "system:admin", "system:masters"))

    assert flaw(certificate, BY_NAME["kubelet-client"], WORKER, master.issuer.certificate, NOW) is None
    assert "system:masters" not in certificate.subject.rfc4514_string()


def test_cve_2021_37219_a_request_for_an_authority_gets_a_leaf(master: Master) -> None:
    """Consul: whoever has a certificate signed by the CA must not be taken for a server, let alone for a CA."""
    extensions = (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.KeyUsage(False, False, False, False, False, True, True, False, False),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    )

    certificate = issued(master, "kubelet-client", csr(key(), "ca", "", extensions))

    assert flaw(certificate, BY_NAME["kubelet-client"], WORKER, master.issuer.certificate, NOW) is None
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False


@pytest.mark.parametrize("profile", [*sorted(set(BY_NAME) - set(PROFILES)), "nonsense"])
def test_a_worker_never_gets_a_masters_certificate(master: Master, profile: str) -> None:
    before = master.register

    with pytest.raises(PkiError) as error:
        asked(master, Node(), {"node-api": csr(key()), profile: csr(key())})

    assert (error.value.kind, error.value.status) == (Reason.BAD_PROFILE, 403)
    assert master.register == before


@given(
    st.sampled_from(PROFILES),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=20),
    st.sampled_from(("", "system:masters", "system:nodes", "hepto:apiservers")),
    st.lists(
        st.sampled_from(
            (
                x509.BasicConstraints(ca=True, path_length=0),
                x509.SubjectAlternativeName([x509.DNSName("kubernetes")]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                x509.OCSPNoCheck(),
            )
        ),
        unique=True,
    ),
)
def test_whatever_is_asked_for_the_table_is_what_is_signed(
    profile: str, common_name: str, organisation: str, extensions: list[x509.ExtensionType]
) -> None:
    """S2."""
    own = key()

    certificate = issued(ANY_MASTER, profile, csr(own, common_name, organisation, tuple(extensions)))

    assert flaw(certificate, BY_NAME[profile], WORKER, ANY_MASTER.issuer.certificate, NOW) is None
    assert certificate.public_key() == own.public_key()
    assert {extension.oid for extension in certificate.extensions} <= {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectKeyIdentifier.oid,
        x509.AuthorityKeyIdentifier.oid,
        x509.SubjectAlternativeName.oid,
    }


@pytest.mark.parametrize("kind", ["none", "cut off", "forged", "p-384", "rsa", "ed25519"])
def test_a_request_that_proves_nothing_is_refused(master: Master, kind: str) -> None:
    good = csr(key(), "node1")
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    match kind:
        case "none":
            data = b"nonsense"
        case "cut off":
            data = good[:-5]
        case "forged":
            data = good[:-1] + bytes((good[-1] ^ 1,))
        case "p-384":
            request = builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())
            data = request.public_bytes(Encoding.DER)
        case "rsa":
            data = builder.sign(rsa.generate_private_key(65537, 2048), hashes.SHA256()).public_bytes(Encoding.DER)
        case _:
            data = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)

    with pytest.raises(PkiError) as error:
        asked(master, Node(), {"node-api": data})

    assert error.value.kind is Reason.BAD_CSR


def test_a_damaged_request_is_refused() -> None:
    """Or it is damaged in how the signature is written only, and asks for nothing else."""
    node, public = Node(), x509.load_der_x509_csr(SOME_CSR).public_key()
    for place in range(len(SOME_CSR)):
        damaged = bytearray(SOME_CSR)
        damaged[place] ^= 1

        try:
            response = asked(ANY_MASTER, node, {"node-api": bytes(damaged)})
        except PkiError as error:
            assert error.kind is Reason.BAD_CSR
        else:
            assert response.certificates is not None
            assert x509.load_der_x509_certificate(response.certificates["node-api"]).public_key() == public


def test_a_subject_has_no_names_of_its_own() -> None:
    assert enrolled_subject("mycluster", "node1", Role.NODE) == WORKER


def test_an_operator_gets_a_client_certificate_for_a_day(master: Master) -> None:
    certificate = master.signer.operator_certificate("SHA256:abc/+", csr(key(), "root", "system:masters"), NOW)

    assert certificate.subject.rfc4514_string() == "CN=hepto:operator:SHA256:abc/\\+"
    assert certificate.not_valid_after_utc == NOW + timedelta(days=1)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_no_operator_gets_a_certificate_by_a_clock_outside_of_the_authoritys_life(master: Master) -> None:
    with pytest.raises(PkiError, match="outside of its CA's life") as error:
        master.signer.operator_certificate("SHA256:abc", csr(key()), NOW + timedelta(days=4000))

    assert error.value.kind is Reason.BAD_CLOCK
