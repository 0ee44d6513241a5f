"""Who signs serves joins; a change of the register reaches board and roster, a new key those who wait for it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto.api.routes import HELLO, JOIN, OPERATOR, RENEW
from hepto.node import desired, keys
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.keys import Keys
from hepto.node.roster import Roster
from hepto.node.served import Served
from hepto.pki import admission, fields, grant, revocations
from hepto.pki.driver import Pki
from hepto.values import Role, Secret
from tests.node.facts import identity
from tests.pki.example import Node

KEY = Secret(bytes(32))


class Site:
    """A master that has made its cluster, and what its parts were told."""

    def __init__(self, directory: Path):
        self.now = datetime.now(UTC)
        self.node: Identity = identity(directory, role="full")
        self.pki = Pki(str(directory), desired.subject(self.node))
        self.keys: Keys = keys.load(self.pki, str(directory))
        self.pki.establish(self.now, plausible=True)
        self.pki.enrol_master(self.keys.identity, self.keys.wireguard, self.now)
        self.board = Board()
        self.revoked: list[bytes] = []
        self.fresh = 0
        self.served = Served(
            self.board,
            self.node,
            self.keys,
            self.pki,
            Roster(self.node.plan, self.node.node),
            join_keys=lambda: self.pki.keyring() or (KEY,),
            revoked=self.revoked.append,
            fresh=self.look,
        )

    def look(self) -> None:
        self.fresh += 1

    def doors(self, *, signs: bool) -> set[str]:
        return set(self.served.doors(lambda name, *parts: fields.mac(bytes(32), name, *parts), {}, signs=signs))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_only_who_signs_lets_anybody_in(site: Site) -> None:
    assert site.doors(signs=False) == {OPERATOR}
    assert site.board.facts.workers == frozenset()
    assert site.doors(signs=True) == {OPERATOR, HELLO, JOIN, RENEW}


def test_who_comes_gets_an_object_and_who_is_put_out_loses_key_and_object(site: Site) -> None:
    site.doors(signs=True)
    assert site.served._signing is not None
    signing = site.served._signing
    signer = signing.signer
    request = Node("two", Role.NODE).request()

    signing.keep(admission.join(signer.register, request, signer.facts, site.now).register)
    assert site.board.facts.workers == {"two"}
    version = revocations.read(signer.register.revoked).version

    site.served._rotate()
    signing.keep(admission.revoke(signer.register, "two", signer.facts, site.now))

    assert site.board.facts.workers == frozenset()
    assert revocations.read(site.revoked[-1]).version > version
    assert signer.keys == site.pki.keyring()
    assert signer.keys[1:] == (KEY,)
    assert site.fresh == 1


def test_the_signer_tells_of_its_master_what_is_true_now(site: Site) -> None:
    site.served.renew_signer()  # before anybody is served there is nothing that could be old
    site.doors(signs=True)
    assert site.served._signing is not None
    before = site.served._signing.signer.own

    site.keys.mesh = bytes(31) + b"\x40"
    site.pki.enrol_master(site.keys.identity, site.keys.wireguard, site.now)
    site.served.renew_signer()

    signer = site.served._signing.signer
    assert signer.own != before
    assert grant.read(signer.own, "one").wireguard == site.keys.wireguard
    assert signer.register.nodes["one"].grant.wireguard == site.keys.wireguard
