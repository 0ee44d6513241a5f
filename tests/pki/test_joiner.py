"""The node's side: what it gets by a whole join and renewal, and what it does not believe."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import admission, grant, join, revocations
from hepto.pki.issue import Issuer
from hepto.pki.join import Answered, Exchange, Response
from hepto.pki.joiner import Enrolment, Joiner, Renewer, Waiting
from hepto.pki.profiles import BY_NAME
from hepto.pki.reasons import PkiError, Reason, RefusedError
from hepto.pki.revocations import Revocations, Revoked
from hepto.pki.verify import fingerprint, flaw
from hepto.values import Role, Secret
from tests.pki.example import (
    GOSSIP_KEY,
    JOIN_KEY,
    NOW,
    PROFILES,
    SERVER_KEY,
    WORKER,
    Master,
    Node,
    authority,
    key,
    pair,
    unix,
)


@pytest.fixture
def master() -> Master:
    return Master()


def test_a_join_gives_all_that_a_worker_needs(master: Master) -> None:
    node = Node()

    enrolment = master.join(node)

    assert enrolment.authority == master.issuer.certificate
    granted = grant.verify(enrolment.grant, "node1", enrolment.authority)
    assert (granted.identity, granted.wireguard, granted.role) == (node.public, node.wireguard_public, Role.NODE)
    assert granted.valid_at(unix())
    assert set(enrolment.certificates) == set(PROFILES)
    for name, certificate in enrolment.certificates.items():
        assert flaw(certificate, BY_NAME[name], WORKER, enrolment.authority, NOW) is None
    assert enrolment.master_name == "mymaster"
    assert grant.verify(enrolment.master, "mymaster", enrolment.authority).role is Role.FULL
    assert revocations.verify(enrolment.revocations, enrolment.authority).entries == ()
    assert enrolment.keys == (GOSSIP_KEY,)
    assert enrolment.time == unix()


def test_a_renewal_gives_it_again(master: Master) -> None:
    node = Node()
    first = master.join(node)

    second = master.renew(node, NOW + timedelta(hours=12))

    assert set(second.certificates) == set(PROFILES)
    assert grant.read(second.grant, "node1") == grant.read(first.grant, "node1")


def test_a_renewal_in_another_wireguard_key_is_a_new_grant(master: Master) -> None:
    node = Node()
    first = master.join(node)
    changed = Node(identity=node.identity)

    second = master.renew(changed, profiles=())

    granted = grant.verify(second.grant, "node1", second.authority)
    assert granted.wireguard == changed.wireguard_public
    assert granted.serial > grant.read(first.grant, "node1").serial
    assert second.certificates == {}


def test_the_new_gossip_key_comes_with_the_renewal(master: Master) -> None:
    """After a revocation: the node still has the retired key only."""
    node = Node()
    master.join(node)
    newer = Secret(b"k" * 32)
    master.signer.keys = (newer, GOSSIP_KEY)

    assert master.renew(node, key=GOSSIP_KEY).keys == (newer, GOSSIP_KEY)


def test_a_revoked_node_hears_so(master: Master) -> None:
    node = Node()
    master.join(node)
    master.order(admission.revoke(master.register, "node1", master.facts, NOW))

    with pytest.raises(RefusedError) as error:
        master.renew(node, key=Secret(bytes(32)))

    assert error.value.kind is Reason.DENIED


def test_a_forgotten_node_hears_so(master: Master) -> None:
    node = Node()
    master.join(node)
    master.order(admission.forget(master.register, "node1", master.facts, NOW))

    with pytest.raises(RefusedError) as error:
        master.renew(node)

    assert error.value.kind is Reason.NOT_ENROLLED
    assert "has to join again" in error.value.detail


def test_what_to_do_comes_with_a_refusal(master: Master) -> None:
    master.join(Node())
    other = Node()

    with pytest.raises(RefusedError) as error:
        master.join(other)

    assert error.value.kind is Reason.NAME_TAKEN
    assert f"hepto node replace node1 {other.fingerprint}" in error.value.detail


class TestWhomToBelieve:
    def test_the_authority_of_the_option_is_insisted_on(self, master: Master) -> None:
        right = fingerprint(master.issuer.certificate)

        assert master.join(Node(), pin=right).authority == master.issuer.certificate
        with pytest.raises(PkiError) as error:
            master.join(Node("node2"), pin="ab" * 32)
        assert error.value.kind is Reason.OTHER_AUTHORITY
        assert right in error.value.detail
        assert "ab" * 32 in error.value.detail
        assert "node2" not in master.register.nodes

    def test_a_node_that_belonged_to_a_cluster_never_takes_another_authority(self, master: Master) -> None:
        other = authority().certificate

        with pytest.raises(PkiError) as error:
            master.join(Node(), known=other)

        assert error.value.kind is Reason.OTHER_AUTHORITY
        assert fingerprint(other) in error.value.detail
        assert fingerprint(master.issuer.certificate) in error.value.detail
        renewer = Renewer(Node().applicant, GOSSIP_KEY, b"r" * 16, known=other)
        with pytest.raises(PkiError, match="other-authority"):
            renewer.hello_answered(master.signer.hello(renewer.hello(), NOW).body)

    def test_an_authority_that_has_not_signed_the_grants_of_gossip_is_refused(self, master: Master) -> None:
        """A member that was taken over has the gossip key, and makes a CA with a master of its own."""
        honest, impostor = master.join(Node()), Master()
        seen = (("mymaster", honest.master), ("node1", honest.grant))

        assert master.join(Node("node2"), seen=seen).authority == master.issuer.certificate
        for more in (seen, (("mymaster", impostor.signer.own), *seen), (("node1\x1b", honest.grant),)):
            with pytest.raises(PkiError) as error:
                impostor.join(Node("node3"), seen=more)
            assert error.value.kind is Reason.OTHER_AUTHORITY
            assert fingerprint(impostor.issuer.certificate) in error.value.detail
            assert "mymaster" in error.value.detail or "node1" in error.value.detail
            assert error.value.detail.isprintable()
        assert "node3" not in impostor.register.nodes

    def test_what_gossip_shows_is_no_reason_against_an_authority_that_is_known(self, master: Master) -> None:
        """One member without a good grant would keep every node out."""
        seen, own = (("node9", bytes(grant.BYTES)),), master.issuer.certificate

        assert master.join(Node("node1"), seen=seen, pin=fingerprint(own)).authority == own
        assert master.join(Node("node2"), seen=seen, known=own).authority == own
        with pytest.raises(PkiError, match="other-authority"):
            master.join(Node("node3"), seen=seen)

    def test_nobody_without_the_key_can_welcome(self, master: Master) -> None:
        joiner = Joiner(Node().applicant, GOSSIP_KEY, b"n" * 16)
        other = Master(keys=(Secret(bytes(32)),))
        stranger = Joiner(Node().applicant, Secret(bytes(32)), b"n" * 16)

        with pytest.raises(PkiError, match="bad-mac"):
            joiner.hello_answered(other.signer.hello(stranger.hello(), NOW).body)
        with pytest.raises(PkiError, match="bad-mac"):
            joiner.hello_answered(
                master.signer.hello(Joiner(Node().applicant, GOSSIP_KEY, b"o" * 16).hello(), NOW).body
            )

    def test_a_worker_cannot_pose_as_a_master(self, master: Master) -> None:
        """It has the gossip key and a grant, even one of the right name; but the CA has given it another role."""
        worker = Node("worker")
        master.signer.own = master.join(worker).grant
        master.signer._subject = dataclasses.replace(master.signer._subject, node="worker")

        for asking in (
            Joiner(Node().applicant, GOSSIP_KEY, b"n" * 16),
            Renewer(worker.applicant, GOSSIP_KEY, b"r" * 16, known=master.issuer.certificate),
        ):
            with pytest.raises(PkiError, match="not-a-master"):
                asking.hello_answered(master.signer.hello(asking.hello(), NOW).body)

    def test_a_revoked_master_renews_nobody(self, master: Master) -> None:
        granted = master.register.nodes["mymaster"].grant
        revoked = Revocations(1, (Revoked(granted.serial, granted.not_after),))
        renewer = Renewer(
            master.node.applicant, GOSSIP_KEY, b"r" * 16, known=master.issuer.certificate, revoked=revoked
        )

        with pytest.raises(PkiError, match="not-a-master"):
            renewer.hello_answered(master.signer.hello(renewer.hello(), NOW).body)

    @pytest.mark.parametrize("which", ["leaf", "p-384", "nonsense", "unsigned"])
    def test_what_is_no_authority_is_not_taken_for_one(self, master: Master, which: str) -> None:
        joiner = Joiner(Node().applicant, GOSSIP_KEY, b"n" * 16)
        welcome = join.read_welcome(master.signer.hello(joiner.hello(), NOW).body)
        good = master.issuer.certificate.public_bytes(Encoding.DER)
        data = {
            "leaf": pair("node-api", master.issuer).certificate.public_bytes(Encoding.DER),
            "p-384": p384_authority(),
            "nonsense": b"nonsense",
            "unsigned": good[:-1] + bytes((good[-1] ^ 1,)),
        }[which]
        welcome = dataclasses.replace(welcome, authority=data)
        welcome = dataclasses.replace(welcome, mac=join.welcome_mac(JOIN_KEY, b"n" * 16, welcome))

        with pytest.raises(PkiError, match="bad-authority"):
            joiner.hello_answered(join.encode(welcome))


def p384_authority() -> bytes:
    own = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(own.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.DER)


class TestAnswers:
    """By somebody who has the gossip key, but not the CA's: what is not signed by it is not taken."""

    def asking(self, master: Master) -> tuple[Joiner, join.Response, bytes]:
        joiner = Joiner(Node().applicant, GOSSIP_KEY, b"n" * 16)
        joiner.hello_answered(master.signer.hello(joiner.hello(), NOW).body)
        body = joiner.request(SERVER_KEY, {"node-api": key()})
        authority = master.issuer.certificate.public_bytes(Encoding.DER)
        transcript = join.transcript(Exchange.JOIN, "mycluster", SERVER_KEY, authority, join.read_sealed(body))
        answered = join.read_answered(master.signer.join(body, NOW).body)
        return joiner, join.read_response(answered.response), transcript

    def taken(self, joiner: Joiner, response: join.Response, transcript: bytes) -> Enrolment | Waiting:
        encoded = join.encode(response)
        return joiner.answered(join.encode(Answered(encoded, join.master_mac(JOIN_KEY, transcript, encoded))))

    def test_the_answer_itself_is_taken(self, master: Master) -> None:
        assert isinstance(self.taken(*self.asking(master)), Enrolment)

    def test_without_the_masters_mac_nothing_is_believed(self, master: Master) -> None:
        joiner, response, _ = self.asking(master)
        for refusal in (response, Response(403, "denied", "go away"), Response(202)):
            encoded = join.encode(refusal)
            with pytest.raises(PkiError) as error:
                joiner.answered(join.encode(Answered(encoded, bytes(32))))
            assert error.value.kind is Reason.BAD_MAC
            assert not isinstance(error.value, RefusedError)

    @pytest.mark.parametrize(
        ("field", "reason"),
        [
            ("grant", Reason.BAD_GRANT),
            ("another's grant", Reason.BAD_GRANT),
            ("master_grant", Reason.BAD_GRANT),
            ("revocations", Reason.BAD_REVOCATIONS),
            ("certificate of another authority", Reason.BAD_CERTIFICATE),
            ("certificate of another key", Reason.BAD_CERTIFICATE),
            ("no certificate", Reason.BAD_CERTIFICATE),
            ("nonsense", Reason.BAD_CERTIFICATE),
            ("keys", Reason.MALFORMED),
        ],
    )
    def test_what_the_authority_did_not_sign_is_not_taken(self, master: Master, field: str, reason: Reason) -> None:
        joiner, response, transcript = self.asking(master)
        other = Master()

        def der(issuer: Issuer) -> bytes:
            return pair("node-api", issuer, WORKER).certificate.public_bytes(Encoding.DER)

        changes: dict[str, dict[str, Any]] = {
            "grant": {"grant": other.join(Node()).grant},
            "another's grant": {"grant": master.join(Node()).grant},
            "master_grant": {"master_grant": other.signer.own},
            "revocations": {"revocations": other.register.revoked},
            "certificate of another authority": {"certificates": {"node-api": der(other.issuer)}},
            "certificate of another key": {"certificates": {"node-api": der(master.issuer)}},
            "no certificate": {"certificates": None},
            "nonsense": {"certificates": {"node-api": b"nonsense"}},
            "keys": {"keys": ()},
        }

        with pytest.raises(PkiError) as error:
            self.taken(joiner, dataclasses.replace(response, **changes[field]), transcript)

        assert error.value.kind is reason

    def test_a_reason_that_is_not_known_here_is_a_refusal(self, master: Master) -> None:
        joiner, _, transcript = self.asking(master)

        with pytest.raises(RefusedError) as error:
            self.taken(joiner, Response(418, "teapot", "it is one"), transcript)

        assert (error.value.kind, error.value.detail) == (Reason.REFUSED, "it is one")

    @given(st.binary(max_size=80), st.booleans())
    def test_any_bytes_are_refused(self, data: bytes, authentic: bool) -> None:
        joiner, transcript = ANY_JOINER
        body = data
        if authentic and data:
            body = join.encode(Answered(data, join.master_mac(JOIN_KEY, transcript, data)))

        for read in (joiner.answered, joiner.hello_answered):
            with pytest.raises(PkiError):
                read(body)


@pytest.mark.parametrize("bit", [0, 2, 7])
def test_a_damaged_authority_is_not_taken_for_one(bit: int) -> None:
    """Nor does it break anything: cryptography has many words for it, of which `KeyError: 13` was one."""
    joiner = Joiner(Node().applicant, GOSSIP_KEY, b"n" * 16)
    good = join.read_welcome(ANY_MASTER.signer.hello(joiner.hello(), NOW).body)
    for place in range(len(good.authority)):
        damaged = bytearray(good.authority)
        damaged[place] ^= 1 << bit
        welcome = dataclasses.replace(good, authority=bytes(damaged))
        welcome = dataclasses.replace(welcome, mac=join.welcome_mac(JOIN_KEY, b"n" * 16, welcome))

        with pytest.raises(PkiError):
            joiner.hello_answered(join.encode(welcome))


ANY_MASTER = Master()
ANY_JOINER = TestAnswers().asking(ANY_MASTER)[::2]


def test_keys_do_not_show(master: Master) -> None:
    node = Node()
    enrolment = master.join(node)

    shown = repr(enrolment) + repr(node.applicant)
    assert GOSSIP_KEY.reveal().hex() not in shown
    assert repr(GOSSIP_KEY.reveal()) not in shown
    assert repr(node.wireguard.reveal()) not in shown


def test_the_longest_name_joins_too(master: Master) -> None:
    node = Node("a" * 63)

    enrolment = master.join(node)

    assert set(enrolment.certificates) == set(PROFILES)
    assert set(master.renew(node).certificates) == set(PROFILES)
