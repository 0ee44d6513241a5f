"""Signing: the signer decides every field, and no leaf outlives or predates its authority."""

from datetime import timedelta
from ipaddress import IPv6Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hepto.pki import issue
from hepto.pki.profiles import BY_NAME, DAY, MINUTES, WEEK, Authority, Subject
from tests.pki.example import MASTER, NOW, PLAN, WORKER, authority, key, pair


def test_an_authority_signs_certificates_and_nothing_else() -> None:
    certificate = authority().certificate

    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)
    assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3652)
    assert certificate.subject == certificate.issuer
    certificate.verify_directly_issued_by(certificate)


def test_authorities_have_names_of_their_own() -> None:
    assert len({authority(which).certificate.subject for which in Authority}) == len(Authority)


def test_a_leaf_says_what_the_table_says() -> None:
    issuer = authority()

    leaf = pair("kubelet-client", issuer, WORKER).certificate

    leaf.verify_directly_issued_by(issuer.certificate)
    assert leaf.subject == x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, "system:node:node1"),
        ]
    )
    assert leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)
    assert leaf.not_valid_after_utc == NOW + timedelta(days=1)
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_server_is_named_by_dns_address_and_role() -> None:
    leaf = pair("kubelet-server", authority(), WORKER).certificate

    assert list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [
        x509.DNSName("node1"),
        x509.IPAddress(IPv6Address("fd6d:9999:dd30:100:ca12:f31b:8cbf:5f29")),
        x509.UniformResourceIdentifier("hepto:node:node1"),
    ]


def test_a_leaf_is_never_older_than_its_authority() -> None:
    issuer = authority(now=NOW)

    leaf = pair("admin", issuer, now=NOW + timedelta(seconds=5)).certificate

    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1) + timedelta(seconds=5)
    early = pair("admin", issuer, now=NOW - timedelta(minutes=30)).certificate
    assert early.not_valid_before_utc == issuer.certificate.not_valid_before_utc


def test_the_longest_life_is_the_callers_and_the_shortest_the_tables() -> None:
    for longest, expected in ((DAY * 2, DAY * 2), (DAY * 365, WEEK), (timedelta(seconds=1), MINUTES)):
        leaf = issue.leaf(BY_NAME["admin"], MASTER, key().public_key(), authority(), 2, NOW, longest)

        assert leaf.not_valid_after_utc == NOW + expected


def test_a_leaf_never_outlives_its_authority() -> None:
    issuer = authority()
    end = issuer.certificate.not_valid_after_utc

    assert pair("admin", issuer, now=end - timedelta(days=1)).certificate.not_valid_after_utc == end


def test_the_longest_node_name_can_be_issued() -> None:
    name = "n" * 63
    subject = Subject("c", name, PLAN.node(name), False, True, PLAN.kubernetes_service)

    leaf = pair("kubelet-client", authority(), subject).certificate

    common_name = issue.subject_of(leaf).get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert common_name == f"system:node:{name}"


def test_a_worker_is_issued_nothing_of_a_master() -> None:
    with pytest.raises(AssertionError, match="admin for node1"):
        pair("admin", authority(), WORKER)


def test_other_curves_are_not_signed() -> None:
    with pytest.raises(AssertionError, match="P-256 only"):
        issue.leaf(BY_NAME["admin"], MASTER, ec.generate_private_key(ec.SECP384R1()).public_key(), authority(), 2, NOW)


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_serials_are_positive_and_fit(serial: int) -> None:
    with pytest.raises(AssertionError, match="serial"):
        issue.leaf(BY_NAME["admin"], MASTER, key().public_key(), authority(), serial, NOW)
