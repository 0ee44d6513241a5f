"""Contents of files: what is written can be read, and everything else is refused by one error."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import store
from hepto.pki.profiles import BY_NAME, Authority
from hepto.pki.store import UnreadableError
from hepto.values import Secret
from tests.pki.example import authority, pair

PAIR = pair("admin", authority())


def test_a_pair_is_one_file_of_both() -> None:
    read = store.load_pair(PAIR.pem())

    assert read.certificate == PAIR.certificate
    assert read.key.private_numbers() == PAIR.key.private_numbers()
    assert store.load_certificate(PAIR.pem()) == PAIR.certificate


def test_the_key_of_another_certificate_is_refused() -> None:
    other = pair("admin", authority())
    mixed = store.certificate_pem(PAIR.certificate) + store.private_pem(other.key)

    with pytest.raises(store.UnreadableError, match="not the certificate's"):
        store.load_pair(mixed)


def test_a_truncated_pair_is_refused() -> None:
    whole = PAIR.pem()

    for length in range(0, len(whole) - 30, 13):
        with pytest.raises(store.UnreadableError):
            store.load_pair(whole[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    for load in (store.load_pair, store.load_issuer, store.load_certificate, store.load_identity, store.load_key):
        with pytest.raises(store.UnreadableError):
            load(data)


def test_keys_of_other_kinds_are_refused() -> None:
    strange = rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    identity = store.private_pem(ed25519.Ed25519PrivateKey.generate())

    for load, data in ((store.load_identity, strange), (store.load_key, identity), (store.load_key, strange)):
        with pytest.raises(store.UnreadableError):
            load(data)


def test_an_identity_is_read_back() -> None:
    key = ed25519.Ed25519PrivateKey.generate()

    assert store.load_identity(store.private_pem(key)).private_bytes_raw() == key.private_bytes_raw()


def test_the_service_account_key_has_a_public_half() -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    assert store.public_pem(key.public_key()).startswith(b"-----BEGIN PUBLIC KEY-----")


def test_secrets_are_encrypted_with_secretbox_first() -> None:
    value = json.loads(store.secrets_encryption(bytes(32)))

    assert value == {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {
                "resources": ["secrets"],
                "providers": [
                    {"secretbox": {"keys": [{"name": "1", "secret": "A" * 43 + "="}]}},
                    {"identity": {}},
                ],
            }
        ],
    }


def test_names_of_files_say_what_they_hold() -> None:
    assert store.pair_name(BY_NAME["admin"]) == "admin.pem"
    assert [store.authority_name(which) for which in Authority] == ["ca.crt", "etcd-ca.crt", "front-proxy-ca.crt"]
    assert [store.issuer_name(which) for which in Authority] == ["ca.pem", "etcd-ca.pem", "front-proxy-ca.pem"]


def test_the_master_and_the_keyring_are_read_as_they_were_written() -> None:
    ring = (Secret(bytes(32)), Secret(bytes(16)))

    assert store.load_master(store.dump_master("mymaster", b"grant")) == ("mymaster", b"grant")
    assert store.load_keyring(store.dump_keyring(ring)) == ring


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"schema": 2, "keys": ["00000000000000000000000000000000"], "name": "a", "grant": ""}',
        b'{"schema": 1, "keys": [], "name": 1, "grant": ""}',
        b'{"schema": 1, "keys": ["00"], "name": "a", "grant": "0"}',
        b'{"schema": 1, "keys": [1], "name": "a", "grant": "xx"}',
    ],
)
def test_what_is_no_master_or_keyring_is_unreadable(data: bytes) -> None:
    for load in (store.load_master, store.load_keyring):
        with pytest.raises(UnreadableError):
            load(data)


def test_a_damaged_keyring_does_not_show_in_the_error() -> None:
    with pytest.raises(UnreadableError) as error:
        store.load_keyring(b'{"schema": 1, "keys": ["5ec2e7')

    assert "5ec2e7" not in str(error.value)
    assert error.value.__suppress_context__
