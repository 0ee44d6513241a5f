"""The master's side against honest, hasty and hostile nodes."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import admission, join
from hepto.pki.joiner import Joiner, Renewer, Waiting
from hepto.pki.reasons import PkiError, Reason, RefusedError
from hepto.pki.signer import MOST_NONCES, Answer
from hepto.values import Secret
from tests.pki.example import GOSSIP_KEY, JOIN_KEY, NOW, SERVER_KEY, Master, Node, forged, key


@pytest.fixture
def master() -> Master:
    return Master()


def welcomed(master: Master, node: Node, now: datetime = NOW, *, renewal: bool = False) -> Joiner | Renewer:
    asking = (
        Renewer(node.applicant, GOSSIP_KEY, b"r" * 16, known=master.issuer.certificate)
        if renewal
        else Joiner(node.applicant, GOSSIP_KEY, b"n" * 16)
    )
    asking.hello_answered(master.signer.hello(asking.hello(), now).body)
    return asking


MASTER_OF_MANY = Master()
ANY_NODE = Node()


class TestNonces:
    def test_a_request_is_answered_once(self, master: Master) -> None:
        joiner = welcomed(master, Node())
        body = joiner.request(SERVER_KEY, {})
        master.taken(master.signer.join(body, NOW))

        with pytest.raises(PkiError) as error:
            master.signer.join(body, NOW)

        assert (error.value.kind, error.value.status) == (Reason.BAD_NONCE, 410)
        with pytest.raises(RefusedError, match="bad-nonce"):
            joiner.answered(error.value.body)

    @pytest.mark.parametrize(("seconds", "accepted"), [(60, True), (61, False), (-61, False)])
    def test_it_expires(self, master: Master, seconds: int, accepted: bool) -> None:
        body = welcomed(master, Node()).request(SERVER_KEY, {})

        if accepted:
            assert master.signer.join(body, NOW + timedelta(seconds=seconds)).status == 200
        else:
            with pytest.raises(PkiError, match="bad-nonce"):
                master.signer.join(body, NOW + timedelta(seconds=seconds))

    def test_it_is_for_one_exchange(self, master: Master) -> None:
        """Two that were welcomed cannot swap their nonces."""
        one = Joiner(Node().applicant, GOSSIP_KEY, b"1" * 16)
        other = Joiner(Node().applicant, GOSSIP_KEY, b"2" * 16)
        first = master.signer.hello(one.hello(), NOW).body
        nonce = join.read_welcome(master.signer.hello(other.hello(), NOW).body).nonce
        mixed = dataclasses.replace(join.read_welcome(first), nonce=nonce)
        mixed = dataclasses.replace(mixed, mac=join.welcome_mac(JOIN_KEY, b"1" * 16, mixed))
        one.hello_answered(join.encode(mixed))

        with pytest.raises(PkiError, match="bad-nonce"):
            master.signer.join(one.request(SERVER_KEY, {}), NOW)

    def test_they_are_bounded_and_the_oldest_goes(self, master: Master) -> None:
        joiner = welcomed(master, Node())
        body = joiner.request(SERVER_KEY, {})
        for number in range(MOST_NONCES):
            master.signer.hello(Joiner(ANY_NODE.applicant, GOSSIP_KEY, number.to_bytes(16, "big")).hello(), NOW)

        with pytest.raises(PkiError, match="bad-nonce"):
            master.signer.join(body, NOW)

    def test_nobody_who_repeats_what_he_heard_pushes_one_out(self, master: Master) -> None:
        """TLS of a join is with whoever answers, so a hello may be overheard; but not made."""
        body = welcomed(master, Node()).request(SERVER_KEY, {})
        heard = Joiner(ANY_NODE.applicant, GOSSIP_KEY, b"heard" * 4).hello()

        welcomes = {master.signer.hello(heard, NOW).body for _ in range(MOST_NONCES)}

        assert len(welcomes) == 1
        assert master.signer.join(body, NOW).status == 200

    def test_a_repeated_hello_gets_a_new_one_when_the_old_is_over(self, master: Master) -> None:
        hello = Joiner(ANY_NODE.applicant, GOSSIP_KEY, b"n" * 16).hello()
        first = join.read_welcome(master.signer.hello(hello, NOW).body)

        second = join.read_welcome(master.signer.hello(hello, NOW + timedelta(seconds=61)).body)

        assert first.nonce != second.nonce

    def test_a_revoked_node_cannot_push_others_out(self) -> None:
        master, denied = Master(), Node()
        master.join(denied)
        master.order(admission.revoke(master.register, "node1", master.facts, NOW))
        body = welcomed(master, Node("node2")).request(SERVER_KEY, {})
        known = master.issuer.certificate

        for number in range(MOST_NONCES):
            renewer = Renewer(denied.applicant, Secret(bytes(32)), number.to_bytes(16, "big"), known=known)
            master.signer.hello(renewer.hello(), NOW)

        assert master.signer.join(body, NOW).status == 200


class TestStrangers:
    """They are not answered: 401 means that the connection is closed without a word."""

    def refused(self, ask: Callable[[bytes, datetime], Answer], body: bytes) -> None:
        with pytest.raises(PkiError) as error:
            ask(body, NOW)
        assert (error.value.kind, error.value.status, error.value.body) == (Reason.BAD_MAC, 401, b"")

    def test_nobody_is_welcome_without_the_key(self, master: Master) -> None:
        self.refused(master.signer.hello, Joiner(Node().applicant, Secret(bytes(32)), b"n" * 16).hello())
        renewer = Renewer(Node().applicant, Secret(bytes(32)), b"n" * 16, known=master.issuer.certificate)
        self.refused(master.signer.hello, renewer.hello())

    def test_the_primary_key_alone_admits(self) -> None:
        """A retired one may be a revoked node's."""
        master = Master(keys=(GOSSIP_KEY, Secret(bytes(32))))

        self.refused(master.signer.hello, Joiner(Node().applicant, Secret(bytes(32)), b"n" * 16).hello())

    def test_another_cluster_of_the_same_key_is_another(self, master: Master) -> None:
        applicant = dataclasses.replace(Node().applicant, cluster="other")

        self.refused(master.signer.hello, Joiner(applicant, GOSSIP_KEY, b"n" * 16).hello())

    def test_another_tls_server_in_between_is_noticed(self, master: Master) -> None:
        for renewal in (False, True):
            node = Node()
            if renewal:
                master.join(node)
            asking = welcomed(master, node, renewal=renewal)
            ask = master.signer.renew if renewal else master.signer.join
            self.refused(ask, asking.request(b"\1" * 32, {}))

    def test_a_renewal_without_a_welcome_is_not_answered(self, master: Master) -> None:
        body = welcomed(master, Node(), renewal=True).request(SERVER_KEY, {})

        self.refused(Master(issuer=master.issuer).signer.renew, body)

    def test_a_join_is_no_renewal(self, master: Master) -> None:
        node = Node()
        master.join(node)

        self.refused(master.signer.renew, welcomed(master, node).request(SERVER_KEY, {}))
        self.refused(master.signer.join, welcomed(master, node, renewal=True).request(SERVER_KEY, {}))


class TestProofs:
    def changed(self, master: Master, **changes: object) -> PkiError:
        """A join that the holder of the gossip key has tampered with."""
        body = welcomed(master, Node()).request(SERVER_KEY, {})
        sealed = dataclasses.replace(join.read_sealed(body), **changes)  # type: ignore[arg-type]
        before = master.register
        with pytest.raises(PkiError) as error:
            master.signer.join(join.encode(sealed), NOW)
        assert master.register == before
        return error.value

    def test_the_identity_has_to_sign(self, master: Master) -> None:
        assert self.changed(master, signature=bytes(64)).kind is Reason.BAD_SIGNATURE

    def test_the_wireguard_key_has_to_be_there(self, master: Master) -> None:
        assert self.changed(master, possession=bytes(32)).kind is Reason.NO_POSSESSION

    def test_every_byte_is_covered(self, master: Master) -> None:
        other = join.encode(Node("node9").request())
        for field, value in (("request", other), ("nonce", b"o" * 16), ("master_nonce", b"o" * 32)):
            assert self.changed(master, **{field: value}).kind is Reason.BAD_MAC

    def test_another_ones_wireguard_key_cannot_be_claimed(self, master: Master) -> None:
        thief, victim = Node(), Node("node2")
        request = dataclasses.replace(thief.request(), wireguard=victim.wireguard_public)
        body = forged(master, thief, join.encode(request))

        with pytest.raises(PkiError) as error:
            master.signer.join(body, NOW)

        assert error.value.kind is Reason.NO_POSSESSION


def test_a_clock_outside_of_the_authoritys_life_signs_nothing(master: Master) -> None:
    now = NOW - timedelta(days=2)
    body = welcomed(master, Node(), now).request(SERVER_KEY, {})

    with pytest.raises(PkiError) as error:
        master.signer.join(body, now)

    assert (error.value.kind, error.value.status) == (Reason.BAD_CLOCK, 503)


def test_who_waits_is_told_the_fingerprint() -> None:
    master, node = Master(admit="operator"), Node()
    joiner = welcomed(master, node)

    answer = master.signer.join(joiner.request(SERVER_KEY, {"node-api": key()}), NOW)

    assert answer.status == 202
    assert joiner.answered(master.taken(answer)) == Waiting(node.fingerprint)
    master.order(admission.admit(master.register, node.fingerprint))
    assert "node-api" in master.join(node).certificates


def test_a_lost_answer_changes_nothing_when_it_is_asked_for_again(master: Master) -> None:
    node = Node()
    master.join(node)

    answer = master.signer.join(welcomed(master, node).request(SERVER_KEY, {}), NOW)

    assert (answer.status, answer.register) == (200, None)


requests = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("node1", "", "kubernetes", "mymaster", "a" * 63)) | st.text(max_size=3),
        "role": st.sampled_from(("node", "master", "full", "")),
        "identity": st.sampled_from((ANY_NODE.public, b"", bytes(32), b"\xff" * 32)),
        "wireguard": st.sampled_from((ANY_NODE.wireguard_public, b"", bytes(32), b"\xff" * 32)),
        "csrs": st.dictionaries(st.sampled_from(("node-api", "admin", "")), st.binary(max_size=40), max_size=2),
    }
)


@given(st.binary(min_size=1, max_size=60) | requests.map(msgpack.packb))
def test_any_request_of_a_holder_of_the_key_is_answered_or_refused(request: bytes) -> None:
    master, before = MASTER_OF_MANY, MASTER_OF_MANY.register

    try:
        answer = master.signer.join(forged(master, ANY_NODE, request), NOW)
    except PkiError as error:
        assert error.body
    else:
        assert answer.register is not None
    assert master.register == before


@pytest.mark.parametrize("renewal", [False, True])
@given(data=st.data())
def test_any_bytes_are_refused_and_change_nothing(renewal: bool, data: st.DataObject) -> None:
    """Also those of somebody who has the gossip key and an identity."""
    master = MASTER_OF_MANY
    signer, before = master.signer, master.register
    body = data.draw(st.binary(max_size=60))
    if data.draw(st.booleans()):
        sealed = msgpack.unpackb(welcomed(master, Node("node1"), renewal=renewal).request(SERVER_KEY, {}))
        sealed[data.draw(st.sampled_from(sorted(sealed)))] = data.draw(st.binary(max_size=70))
        body = msgpack.packb(sealed)

    for ask in (signer.hello, signer.renew if renewal else signer.join):
        with pytest.raises(PkiError):
            ask(body, NOW)

    assert master.register == before
