"""What the driver keeps of a cluster: a master's own, and a worker's, over starts, cuts and another cluster."""

import dataclasses
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.pki import admission, grant, store
from hepto.pki.driver import Pki
from hepto.pki.joiner import Enrolment, Joiner, Renewer
from hepto.pki.profiles import AUTHORITY_LIFETIME, DAY, MINUTES, held_by
from hepto.pki.reasons import PkiError
from hepto.pki.signer import Answer
from hepto.pki.verify import Flaw
from hepto.values import Role
from tests.pki.example import GOSSIP_KEY, MASTER, NOW, WORKER, Node


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


class Cluster:
    """A master in one directory, a worker in another."""

    def __init__(self, directory: Path, admit: str = "key", longest: timedelta = AUTHORITY_LIFETIME):
        self.master_node, self.node = Node("mymaster", Role.FULL), Node()
        for name in ("master", "worker"):
            (directory / name).mkdir()
        self.directory = directory / "worker"
        self.master = Pki(str(directory / "master"), MASTER, longest)
        self.master.establish(NOW, plausible=True)
        self.master.enrol_master(self.master_node.identity, self.master_node.wireguard_public, NOW)
        self.signer = self.master.signer(self.master_node.wireguard, (GOSSIP_KEY,), admit=admit)
        self.worker = self.started()

    def started(self) -> Pki:
        """The worker's agent, started anew."""
        return Pki(str(self.directory), WORKER)

    def join(self, now: datetime = NOW) -> Enrolment:
        joiner = self.worker.joiner(self.node.identity, self.node.wireguard, GOSSIP_KEY)
        return self.exchange(joiner, self.signer.join, self.worker, now)

    def renew(self, now: datetime) -> Enrolment:
        renewer = self.worker.renewer(self.node.identity, self.node.wireguard, GOSSIP_KEY)
        return self.exchange(renewer, self.signer.renew, self.worker, now)

    def exchange(
        self, asking: Joiner | Renewer, asked: Callable[[bytes, datetime], Answer], pki: Pki, now: datetime
    ) -> Enrolment:
        asking.hello_answered(self.signer.hello(asking.hello(), now).body)
        keys = pki.new_keys(now)
        answer = asked(asking.request(self.master.server_key(), keys), now)
        if answer.register is not None:
            self.master.keep_register(answer.register)
            self.signer.register = answer.register
        enrolment = asking.answered(answer.body)
        assert isinstance(enrolment, Enrolment)
        pki.enrol(enrolment, keys)
        return enrolment


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_a_joiner_knows_what_gossip_shows_until_it_is_locked(cluster: Cluster) -> None:
    node, seen = cluster.node, (("mymaster", bytes(grant.BYTES)),)

    def welcomed() -> None:
        joiner = cluster.worker.joiner(node.identity, node.wireguard, GOSSIP_KEY, seen=seen)
        joiner.hello_answered(cluster.signer.hello(joiner.hello(), NOW).body)

    with pytest.raises(PkiError, match="other-authority"):
        welcomed()
    cluster.join()
    welcomed()


class TestTheMastersOwn:
    def test_it_has_a_grant_and_remembers_itself(self, cluster: Cluster) -> None:
        own = cluster.master.grant()

        assert own is not None
        granted = grant.verify(own, "mymaster", cluster.master.authority())
        assert (granted.role, granted.identity) == (Role.FULL, cluster.master_node.public)
        assert cluster.master.master() == ("mymaster", own)
        assert cluster.signer.register.nodes["mymaster"].grant == granted
        assert cluster.master.signed_revocations() == cluster.signer.register.revoked

    def test_a_second_start_changes_nothing(self, cluster: Cluster, tmp_path: Path) -> None:
        before = files(tmp_path)

        again = Pki(str(tmp_path / "master"), MASTER)
        again.enrol_master(cluster.master_node.identity, cluster.master_node.wireguard_public, NOW + DAY)

        assert files(tmp_path) == before

    def test_it_is_renewed_at_half_its_life_and_for_another_key(self, cluster: Cluster) -> None:
        identity, wireguard = cluster.master_node.identity, cluster.master_node.wireguard_public
        half = NOW + timedelta(days=183)
        assert not cluster.master.grant_due(NOW, wireguard)
        assert cluster.master.grant_due(half, wireguard)
        assert cluster.master.grant_due(NOW, bytes(32))

        serials = [
            grant.read(cluster.master.enrol_master(identity, key, now), "mymaster").serial
            for key, now in ((wireguard, NOW), (bytes(32), NOW), (bytes(32), half))
        ]

        assert serials == sorted(set(serials))

    def test_a_lost_register_is_no_empty_one(self, cluster: Cluster, tmp_path: Path) -> None:
        (tmp_path / "master" / "pki" / store.REGISTER).unlink()

        with pytest.raises(UserError, match=r"register.json is missing or damaged"):
            cluster.master.enrol_master(cluster.master_node.identity, cluster.master_node.wireguard_public, NOW)

    def test_an_interrupted_start_is_finished(self, cluster: Cluster, tmp_path: Path) -> None:
        own = cluster.master.grant()
        (tmp_path / "master" / "pki" / store.GRANT).unlink()

        cluster.master.enrol_master(cluster.master_node.identity, cluster.master_node.wireguard_public, NOW)

        assert own is not None
        again = cluster.master.grant()
        assert again is not None
        assert grant.read(again, "mymaster") == grant.read(own, "mymaster")

    def test_a_revocation_is_kept_for_everybody(self, cluster: Cluster) -> None:
        cluster.join()
        serial = cluster.signer.register.nodes["node1"].grant.serial

        cluster.master.keep_register(admission.revoke(cluster.signer.register, "node1", cluster.signer.facts, NOW))

        assert cluster.master.revocations().holds(serial)

    def test_another_gossip_key_comes_first(self, cluster: Cluster, tmp_path: Path) -> None:
        assert cluster.master.keyring() is None

        ring = cluster.master.rotate_keyring((GOSSIP_KEY,))

        assert (len(ring), ring[1]) == (2, GOSSIP_KEY)
        assert ring[0] != GOSSIP_KEY
        assert Pki(str(tmp_path / "master"), MASTER).keyring() == ring


class TestTheWorkers:
    def test_a_join_leaves_all_that_it_needs(self, cluster: Cluster) -> None:
        assert {(due.profile.name, due.flaw) for due in cluster.worker.due(NOW)} == {
            (profile.name, Flaw.MISSING) for profile in held_by(WORKER)
        }
        assert (cluster.worker.grant(), cluster.worker.keyring(), cluster.worker.master()) == (None, None, None)

        enrolment = cluster.join()

        worker = cluster.started()
        assert worker.locked
        assert worker.fingerprint == cluster.master.fingerprint
        assert worker.due(NOW) == ()
        assert worker.deadline(NOW) == NOW + DAY / 2
        assert worker.grant() == enrolment.grant
        assert not worker.grant_due(NOW, cluster.node.wireguard_public)
        assert worker.master() == ("mymaster", cluster.master.grant())
        assert worker.keyring() == (GOSSIP_KEY,)
        assert worker.signed_revocations() == enrolment.revocations
        assert set(files(cluster.directory)) == {
            *(f"pki/{profile.name}.pem" for profile in held_by(WORKER)),
            *(
                f"pki/{name}"
                for name in ("ca.crt", "grant", "master.json", "keyring.json", "admins.json", "revocations")
            ),
        }
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in cluster.directory.rglob("*")}
        assert {name for name, mode in modes.items() if mode & 0o077} == {"ca.crt"}

    def test_only_what_is_due_is_asked_for(self, cluster: Cluster) -> None:
        cluster.join()
        before = files(cluster.directory)
        (cluster.directory / "pki" / "coredns.pem").write_bytes(b"torn")
        cluster.worker = cluster.started()

        enrolment = cluster.renew(NOW)

        assert set(enrolment.certificates) == {"coredns"}
        changed = {path for path, data in files(cluster.directory).items() if before[path] != data}
        assert "pki/coredns.pem" in changed
        assert not changed & {f"pki/{profile.name}.pem" for profile in held_by(WORKER) if profile.name != "coredns"}

    def test_it_renews_by_half_of_its_day(self, cluster: Cluster) -> None:
        cluster.join()

        cluster.renew(NOW + DAY / 2)

        assert cluster.worker.due(NOW + DAY / 2) == ()
        assert cluster.worker.deadline(NOW + DAY / 2) == NOW + DAY

    def test_short_leaves_are_the_masters_affair_and_renewed_by_half_of_their_life(self, tmp_path: Path) -> None:
        cluster = Cluster(tmp_path, longest=MINUTES)
        cluster.join()
        half = NOW + MINUTES / 2

        assert cluster.master.due(NOW) == cluster.worker.due(NOW) == ()
        assert cluster.master.deadline(NOW) == cluster.worker.deadline(NOW) == half
        assert {due.profile for due in cluster.master.renew(half)} == set(held_by(MASTER))
        cluster.signer.server_key = cluster.master.server_key()
        assert set(cluster.renew(half).certificates) == {profile.name for profile in held_by(WORKER)}
        assert cluster.master.deadline(half) == cluster.worker.deadline(half) == NOW + MINUTES

    def test_an_interrupted_join_is_no_membership(self, cluster: Cluster) -> None:
        cluster.join()
        (cluster.directory / "pki" / "ca.crt").unlink()
        cluster.worker = cluster.started()

        assert not cluster.worker.locked
        assert (cluster.worker.grant(), cluster.worker.keyring()) == (None, None)
        assert len(cluster.worker.due(NOW)) == len(held_by(WORKER))

        cluster.join()
        assert cluster.started().due(NOW) == ()

    def test_another_cluster_is_refused_by_name(self, cluster: Cluster, tmp_path: Path) -> None:
        cluster.join()
        (tmp_path / "other").mkdir()
        other = Cluster(tmp_path / "other")
        enrolment = other.join()
        before = files(cluster.directory)

        with pytest.raises(UserError, match=f"{other.master.fingerprint}.*{cluster.master.fingerprint}"):
            cluster.worker.enrol(enrolment, {})

        assert files(cluster.directory) == before

    def test_a_list_is_replaced_by_a_newer_one_of_the_same_authority(self, cluster: Cluster, tmp_path: Path) -> None:
        cluster.join()
        older = cluster.worker.signed_revocations()
        assert older is not None
        changed = admission.forget(cluster.signer.register, "node1", cluster.signer.facts, NOW)

        assert cluster.worker.keep_revocations(changed.revoked)
        assert not cluster.worker.keep_revocations(older)
        assert not cluster.worker.keep_revocations(changed.revoked)

        assert cluster.worker.signed_revocations() == changed.revoked
        with pytest.raises(PkiError):
            cluster.worker.keep_revocations(changed.revoked[:-1] + b"\0")

    def test_an_older_list_of_a_master_does_not_replace_a_newer_one(self, cluster: Cluster) -> None:
        cluster.join()
        newer = admission.revoke_serials(cluster.signer.register, (), cluster.signer.facts, NOW).revoked
        cluster.worker.keep_revocations(newer)

        cluster.renew(NOW)

        assert cluster.worker.signed_revocations() == newer

    @pytest.mark.parametrize("name", [store.KEYRING, store.MASTER])
    def test_a_damaged_file_is_not_taken_for_none(self, cluster: Cluster, name: str) -> None:
        cluster.join()
        (cluster.directory / "pki" / name).write_bytes(b'{"schema": 1, "keys": ["00"]}')

        with pytest.raises(UserError, match=f"{name} is missing or damaged"):
            cluster.worker.keyring() if name == store.KEYRING else cluster.worker.master()

    @pytest.mark.parametrize("name", [store.GRANT, store.REVOCATIONS])
    def test_a_damaged_grant_or_list_is_asked_for_again(self, cluster: Cluster, name: str) -> None:
        enrolment = cluster.join()
        (cluster.directory / "pki" / name).write_bytes(b"damaged")
        assert cluster.worker.grant_due(NOW, cluster.node.wireguard_public) == (name == store.GRANT)

        cluster.renew(NOW)

        assert cluster.worker.grant() is not None
        assert cluster.worker.signed_revocations() == enrolment.revocations

    def test_its_own_api_names_are_not_missed_in_its_certificates(self, cluster: Cluster) -> None:
        """The signer does not know them: it would be renewed for ever."""
        cluster.worker = Pki(str(cluster.directory), dataclasses.replace(WORKER, api_names=("api.example.org",)))

        cluster.join()

        assert cluster.worker.due(NOW) == ()
