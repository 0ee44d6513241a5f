"""Makes keys and keeps a node's certificates in files, by what the cores decide.

A clock is never read here: `now` is an aware datetime of the agent, which knows how far to trust it. Calls do file I/O
and a few P-256 operations, milliseconds each. Nothing secret is ever logged or put into an exception.
"""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.address import AddressPlan
from hepto.errors import UserError
from hepto.pki import admission, fields, issue, register, revocations, store, verify
from hepto.pki import grant as grants
from hepto.pki.grant import Grant
from hepto.pki.issue import Issuer
from hepto.pki.join import LONGEST_NONCE, MOST_KEYS, Request
from hepto.pki.joiner import Applicant, Enrolment, Joiner, Renewer, Seen
from hepto.pki.profiles import AUTHORITY_LIFETIME, BY_NAME, Authority, Profile, Subject, held_by
from hepto.pki.reasons import PkiError
from hepto.pki.register import Register
from hepto.pki.revocations import Revocations
from hepto.pki.signer import Signer
from hepto.pki.store import Pair
from hepto.pki.verify import Due, Flaw
from hepto.values import KEY_SIZES, Secret
from init.contract import durable

Loaded = TypeVar("Loaded")

RETRY = timedelta(minutes=1)
"""What could not be issued when it was due is tried again after this."""


class ImplausibleClockError(Exception):
    """A cluster would have to be made now, and the clock is not to be trusted. The caller waits for the clock."""


class Pki:
    """The keys and certificates of one node: `<data>/<cluster>/<node>/{pki,identity}`."""

    def __init__(self, data: str, subject: Subject, longest: timedelta = AUTHORITY_LIFETIME):
        """`data` is `<data>/<cluster>/<node>`, which must exist; no leaf issued here lives longer than `longest`."""
        # The signer of a worker's certificates does not know, and would not believe, its configuration.
        self.subject = subject if subject.master else dataclasses.replace(subject, api_names=())
        self._longest = longest
        self._directory = Path(data) / "pki"
        self._identity_directory = Path(data) / "identity"
        self._pairs: dict[str, Pair] = {}
        self._expired: set[str] = set()

    @property
    def locked(self) -> bool:
        """True if this directory has belonged to a cluster: it never makes or accepts another CA."""
        return self._path(store.authority_name(Authority.CLUSTER)).exists()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the cluster's CA in hex, the value of `hepto.ca`. Only when `locked`."""
        return verify.fingerprint(self.authority())

    def identity(self, given: Ed25519PrivateKey | None = None) -> Ed25519PrivateKey:
        """The node's identity key: `given` (credential hepto.identity, never written), the kept one, else a new one."""
        if given is not None:
            return given
        durable.make_directory(str(self._identity_directory))
        path = self._identity_directory / store.IDENTITY
        try:
            return store.load_identity(path.read_bytes())
        except FileNotFoundError:
            key = Ed25519PrivateKey.generate()
            _write(path, store.private_pem(key))
            return key
        except store.UnreadableError as error:
            raise _damaged(path, str(error)) from None

    def establish(self, now: datetime, *, plausible: bool) -> tuple[Due, ...]:
        """Make the cluster's authorities and keys if there are none, then issue what is due and say what it was.

        Only for masters. Raises ImplausibleClockError when a CA is wanted and the clock is not plausible, UserError
        when the directory is locked and a part of it is missing or damaged: a second CA would be a second cluster.
        """
        assert self.subject.master, "only a master makes a cluster"
        durable.make_directory(str(self._directory))
        if not self.locked:
            if not plausible:
                raise ImplausibleClockError
            self._make_cluster(now)
        for name in (store.SECRETS_ENCRYPTION, store.SERVICE_ACCOUNT, store.SERVICE_ACCOUNT_PUBLIC):
            if not self._path(name).exists():
                raise _damaged(self._path(name), "no such file")
        return self.renew(now)

    def expire(self) -> None:
        """From now on every certificate is due, until it is issued anew."""
        self._expired = {profile.name for profile in held_by(self.subject)}

    def due(self, now: datetime) -> tuple[Due, ...]:
        """The certificates that have to be issued now, and why."""
        return tuple(
            Due(profile, flaw) for profile in held_by(self.subject) if (flaw := self._flaw(profile, now)) is not None
        )

    def renew(self, now: datetime) -> tuple[Due, ...]:
        """Issue what is due. The services pick the new files up by themselves. Masters only; others ask a master."""
        due = self.due(now)
        for entry in due:
            pair = self._issue(entry.profile, now)
            self._replace(entry.profile.name, pair)
        return due

    def deadline(self, now: datetime) -> datetime | None:
        """When `renew` (a master) or a renewal is due next; None if this node keeps no certificate.

        Grants have none of their own: each renewal brings a newer one when half a year is over.
        """
        if self.due(now):
            return now + RETRY
        renewals = [verify.renewal(self._pair(profile).certificate, profile) for profile in held_by(self.subject)]
        return min(renewals, default=None)

    def bootstrap(self, now: datetime) -> Pair:
        """A `system:masters` certificate of twenty minutes. It exists in memory only: never write it to a file."""
        return self._issue(BY_NAME["bootstrap"], now)

    def authority(self) -> x509.Certificate:
        """The cluster's CA. Only when `locked`."""
        return self._authority(Authority.CLUSTER)

    def grant(self) -> bytes | None:
        """This node's grant, if it has one that its CA has signed."""
        return None if self._granted() is None else self._kept(store.GRANT)

    def grant_due(self, now: datetime, wireguard: bytes) -> bool:
        """True if a new grant is wanted: there is none, half of its life is over, or `wireguard` (public) is new."""
        granted = self._granted()
        return granted is None or granted.wireguard != wireguard or granted.due_at(now.timestamp())

    def master(self) -> tuple[str, bytes] | None:
        """Name and grant of the master that enrolled this node."""
        return self._loaded(store.MASTER, store.load_master)

    def keyring(self) -> tuple[Secret, ...] | None:
        """The gossip keys, primary first, which outrank the configured one; None if this node is not enrolled."""
        return self._loaded(store.KEYRING, store.load_keyring)

    def admins(self) -> tuple[str, ...]:
        """Public keys of the operators, as the master has told; none before this node is enrolled."""
        return self._loaded(store.ADMINS, store.load_admins) or ()

    def keep_keyring(self, keys: tuple[Secret, ...]) -> None:
        """From now on these are the gossip keys, primary first."""
        self._keep(store.KEYRING, store.dump_keyring(keys))

    def rotate_keyring(self, keys: tuple[Secret, ...]) -> tuple[Secret, ...]:
        """`keys` behind a new primary one, kept: before the register of an order to revoke is, so that it is redone."""
        ring = (Secret(secrets.token_bytes(max(KEY_SIZES))), *keys)[:MOST_KEYS]
        self.keep_keyring(ring)
        return ring

    def revocations(self) -> Revocations:
        """The newest list of revoked grants that was kept; an empty one of version 0 before there is any."""
        data = self.signed_revocations()
        return Revocations() if data is None else revocations.read(data)

    def signed_revocations(self) -> bytes | None:
        """The same as it is distributed."""
        data = self._kept(store.REVOCATIONS)
        try:
            if data is not None:
                revocations.verify(data, self.authority())
        except PkiError:  # the next list is as good as any: without one nothing is revoked that we knew of
            return None
        return data

    def keep_revocations(self, data: bytes) -> bool:
        """Keep a list that was heard, if it is newer. False if it is not. Raises PkiError if our CA did not sign it."""
        if revocations.verify(data, self.authority()).version <= self.revocations().version:
            return False
        _write(self._path(store.REVOCATIONS), data)
        return True

    def new_keys(self, now: datetime) -> Mapping[str, ec.EllipticCurvePrivateKey]:
        """New keys, in memory, for the certificates that are due: by the profile's name, for one request."""
        return {entry.profile.name: _new_key() for entry in self.due(now)}

    def joiner(
        self, identity: Ed25519PrivateKey, wireguard: Secret, key: Secret, pin: str | None = None, seen: Seen = ()
    ) -> Joiner:
        """A join with the gossip key `key`. `pin`: `hepto.ca`; `seen`: names and grants. A locked node keeps its CA."""
        known, applicant = self.authority() if self.locked else None, self._applicant(identity, wireguard)
        return Joiner(applicant, key, secrets.token_bytes(LONGEST_NONCE), pin=pin, known=known, seen=seen)

    def renewer(self, identity: Ed25519PrivateKey, wireguard: Secret, key: Secret) -> Renewer:
        """A renewal. `key`: the primary gossip key, as far as it is known here. Only when `locked`."""
        applicant, nonce = self._applicant(identity, wireguard), secrets.token_bytes(LONGEST_NONCE)
        return Renewer(applicant, key, nonce, known=self.authority(), revoked=self.revocations())

    def enrol(self, enrolment: Enrolment, keys: Mapping[str, ec.EllipticCurvePrivateKey]) -> None:
        """Keep what a join or a renewal with `keys` brought, the CA last: with it the node is locked to the cluster.

        Raises UserError if the node has belonged to another cluster; nothing is written then.
        """
        if self.locked and self.authority() != enrolment.authority:
            raise UserError(
                f"the CA offered is {verify.fingerprint(enrolment.authority)}, this node belongs to {self.fingerprint}",
                "start it on an empty data directory to make it join another cluster",
            )
        durable.make_directory(str(self._directory))
        for name, certificate in enrolment.certificates.items():
            self._replace(name, Pair(certificate, keys[name]))
        self._keep(store.GRANT, enrolment.grant)
        self._keep(store.MASTER, store.dump_master(enrolment.master_name, enrolment.master))
        self._keep(store.KEYRING, store.dump_keyring(enrolment.keys))
        self._keep(store.ADMINS, store.dump_admins(enrolment.admins))
        if self.locked:
            self.keep_revocations(enrolment.revocations)
        else:
            self._keep(store.REVOCATIONS, enrolment.revocations)
        authority = store.certificate_pem(enrolment.authority)
        self._keep(store.authority_name(Authority.CLUSTER), authority, durable.MODE_PUBLIC)

    def enrol_master(self, identity: Ed25519PrivateKey, wireguard: bytes, now: datetime) -> bytes:
        """The master's own grant, made or renewed when it is due; `wireguard` is public. After `establish`.

        Raises UserError if the cluster's register is damaged, or has another identity under this name.
        """
        before = self._register() if self._path(store.REGISTER).exists() else self._first_register()
        public = identity.public_key().public_bytes_raw()
        request = Request(self.subject.node, self.subject.role, public, wireguard, {})
        issuer = self._issuer(Authority.CLUSTER)
        facts = admission.Facts(self.subject.node, AddressPlan(self.subject.cluster), issuer, False)
        after = admission.enrol_master(before, request, facts, now)
        if after != before:
            self.keep_register(after)
        granted = after.nodes[self.subject.node].grant
        if self._granted() != granted:
            _write(self._path(store.GRANT), grants.issue(granted, facts.authority, issuer.key))
        own = self._path(store.GRANT).read_bytes()
        self._keep(store.MASTER, store.dump_master(self.subject.node, own))
        return own

    def signer(
        self, wireguard: Secret, keys: tuple[Secret, ...], *, admit: str, admins: tuple[str, ...] = ()
    ) -> Signer:
        """The signer of this cluster; `wireguard` is private, `keys` the keyring, the others options. After
        `enrol_master`. What `keep_register` has written is to be handed to it, and `own` and `server_key` when they
        are renewed.
        """
        own = self.grant()
        assert own is not None, "the master has no grant"
        return Signer(
            self.subject,
            self._issuer(Authority.CLUSTER),
            own,
            wireguard,
            self._register(),
            keys,
            admit=admit,
            admins=admins,
            longest=self._longest,
            server_key=self.server_key(),
            token=secrets.token_bytes,
            serial=x509.random_serial_number,
        )

    def server_key(self) -> bytes:
        """SHA-256 of the public key that the node API's TLS server shows: transcripts hold it."""
        return fields.digest(store.public_der(self._pair(BY_NAME["node-api"]).key.public_key()))

    def keep_register(self, changed: Register) -> None:
        """Make the register durable, and the list of revoked grants that it brings. Before any answer that says so."""
        _write(self._path(store.REGISTER), register.dump(changed))
        if changed.revoked:
            self._keep(store.REVOCATIONS, changed.revoked)

    def _first_register(self) -> Register:
        if self._path(store.GRANT).exists():
            raise _damaged(self._path(store.REGISTER), "no such file")
        return Register()

    def _register(self) -> Register:
        return register.load(self._path(store.REGISTER).read_bytes())

    def _applicant(self, identity: Ed25519PrivateKey, wireguard: Secret) -> Applicant:
        return Applicant(self.subject.cluster, self.subject.node, self.subject.role, identity, wireguard)

    def _granted(self) -> Grant | None:
        data = self._kept(store.GRANT)
        try:
            return None if data is None else grants.verify(data, self.subject.node, self.authority())
        except PkiError:
            return None

    def _kept(self, name: str) -> bytes | None:
        """Content of a file, None if there is none; before the node is locked nothing was kept."""
        try:
            return self._path(name).read_bytes() if self.locked else None
        except FileNotFoundError:
            return None

    def _loaded(self, name: str, load: Callable[[bytes], Loaded]) -> Loaded | None:
        data = self._kept(name)
        try:
            return None if data is None else load(data)
        except store.UnreadableError as error:
            raise _damaged(self._path(name), str(error)) from None

    def _keep(self, name: str, data: bytes, mode: int = durable.MODE_SECRET) -> None:
        durable.write_if_changed(str(self._path(name)), data, mode)

    def _make_cluster(self, now: datetime) -> None:
        """What is made once, the CA's own certificate last: without it the next try makes (or keeps) all of this."""
        self._once(
            store.SECRETS_ENCRYPTION, lambda: store.secrets_encryption(secrets.token_bytes(store.SECRETBOX_KEY_BYTES))
        )
        self._once(store.SERVICE_ACCOUNT, lambda: store.private_pem(_new_key()))
        service_account = store.load_key(self._path(store.SERVICE_ACCOUNT).read_bytes())
        public = store.public_pem(service_account.public_key())
        _write(self._path(store.SERVICE_ACCOUNT_PUBLIC), public, durable.MODE_PUBLIC)
        for which in (Authority.FRONT_PROXY, Authority.ETCD, Authority.CLUSTER):
            self._once(store.issuer_name(which), partial(self._new_authority, which, now))
            certificate = store.certificate_pem(self._issuer(which).certificate)
            _write(self._path(store.authority_name(which)), certificate, durable.MODE_PUBLIC)

    def _once(self, name: str, make: Callable[[], bytes]) -> None:
        if not self._path(name).exists():
            _write(self._path(name), make())

    def _new_authority(self, which: Authority, now: datetime) -> bytes:
        issuer = issue.authority(which, self.subject.cluster, _new_key(), x509.random_serial_number(), now)
        return Pair(issuer.certificate, issuer.key).pem()

    def _issue(self, profile: Profile, now: datetime) -> Pair:
        key = _new_key()
        issuer, serial = self._issuer(profile.authority), x509.random_serial_number()
        return Pair(issue.leaf(profile, self.subject, key.public_key(), issuer, serial, now, self._longest), key)

    def _replace(self, name: str, pair: Pair) -> None:
        _write(self._path(store.pair_name(BY_NAME[name])), pair.pem())
        self._pairs[name] = pair
        self._expired.discard(name)

    def _flaw(self, profile: Profile, now: datetime) -> Flaw | None:
        if not self.locked:
            return Flaw.MISSING  # what an interrupted join has left is of no use
        if profile.name in self._expired:
            return Flaw.ORDERED
        try:
            pair = self._pair(profile)
        except FileNotFoundError:
            return Flaw.MISSING
        except store.UnreadableError:
            return Flaw.UNREADABLE
        return verify.flaw(pair.certificate, profile, self.subject, self._authority(profile.authority), now)

    def _pair(self, profile: Profile) -> Pair:
        if profile.name not in self._pairs:
            self._pairs[profile.name] = store.load_pair(self._path(store.pair_name(profile)).read_bytes())
        return self._pairs[profile.name]

    def _authority(self, which: Authority) -> x509.Certificate:
        return self._issued(store.authority_name(which), store.load_certificate)

    def _issuer(self, which: Authority) -> Issuer:
        return self._issued(store.issuer_name(which), store.load_issuer)

    def _issued(self, name: str, load: Callable[[bytes], Loaded]) -> Loaded:
        path = self._path(name)
        try:
            return load(path.read_bytes())
        except (FileNotFoundError, store.UnreadableError) as error:
            raise _damaged(path, str(error)) from None

    def _path(self, name: str) -> Path:
        return self._directory / name


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _write(path: Path, data: bytes, mode: int = durable.MODE_SECRET) -> None:
    durable.write(str(path), data, mode)


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is missing or damaged ({why}), and this node has belonged to a cluster",
        "restore it from a backup, or start on an empty data directory to make another cluster",
    )
