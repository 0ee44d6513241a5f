"""Makes keys and keeps a node's certificates in files, by what the cores decide.

A clock is never read here: `now` is an aware datetime of the agent, which knows how far to trust it. Calls do file I/O
and a few P-256 operations, milliseconds each. Nothing secret is ever logged or put into an exception.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hepto.errors import UserError
from hepto.pki import issue, store, verify
from hepto.pki.issue import Issuer
from hepto.pki.profiles import BY_NAME, Authority, Profile, Subject, held_by
from hepto.pki.store import Pair
from hepto.pki.verify import Flaw
from init.contract import durable

RETRY = timedelta(minutes=1)
"""What could not be issued when it was due is tried again after this."""


class ImplausibleClockError(Exception):
    """A cluster would have to be made now, and the clock is not to be trusted. The caller waits for the clock."""


@dataclass(frozen=True)
class Due:
    """A certificate to issue, and why."""

    profile: Profile
    flaw: Flaw


class Pki:
    """The keys and certificates of one node: `<data>/<cluster>/<node>/{pki,identity}`."""

    def __init__(self, data: str, subject: Subject):
        """`data` is `<data>/<cluster>/<node>`, which must exist; nothing is read or written yet."""
        self.subject = subject
        self._directory = Path(data) / "pki"
        self._identity_directory = Path(data) / "identity"
        self._pairs: dict[str, Pair] = {}

    @property
    def locked(self) -> bool:
        """True if this directory has belonged to a cluster: it never makes or accepts another CA."""
        return self._path(store.authority_name(Authority.CLUSTER)).exists()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the cluster's CA in hex, the value of `hepto.ca`. Only when `locked`."""
        return self._authority(Authority.CLUSTER).fingerprint(hashes.SHA256()).hex()

    def identity(self, given: ed25519.Ed25519PrivateKey | None = None) -> ed25519.Ed25519PrivateKey:
        """The node's identity key: `given` (credential hepto.identity, never written), the kept one, else a new one."""
        if given is not None:
            return given
        self._identity_directory.mkdir(0o700, exist_ok=True)
        path = self._identity_directory / store.IDENTITY
        try:
            return store.load_identity(path.read_bytes())
        except FileNotFoundError:
            key = ed25519.Ed25519PrivateKey.generate()
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
        self._directory.mkdir(0o700, exist_ok=True)
        if not self.locked:
            if not plausible:
                raise ImplausibleClockError
            self._make_cluster(now)
        for name in (store.SECRETS_ENCRYPTION, store.SERVICE_ACCOUNT, store.SERVICE_ACCOUNT_PUBLIC):
            if not self._path(name).exists():
                raise _damaged(self._path(name), "no such file")
        return self.renew(now)

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
            _write(self._path(store.pair_name(entry.profile)), pair.pem())
            self._pairs[entry.profile.name] = pair
        return due

    def deadline(self, now: datetime) -> datetime | None:
        """When `renew` is to be called next; None if this node keeps no certificate."""
        if self.due(now):
            return now + RETRY
        renewals = [verify.renewal(self._pair(profile).certificate, profile) for profile in held_by(self.subject)]
        return min(renewals, default=None)

    def bootstrap(self, now: datetime) -> Pair:
        """A `system:masters` certificate of twenty minutes. It exists in memory only: never write it to a file."""
        return self._issue(BY_NAME["bootstrap"], now)

    def _make_cluster(self, now: datetime) -> None:
        """What is made once, the CA's own certificate last: without it the next try makes (or keeps) all of this."""
        self._once(store.SECRETS_ENCRYPTION, lambda: store.secrets_encryption(_new_secretbox_key()))
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
        issuer = issue.authority(which, self.subject.cluster, _new_key(), _new_serial(), now)
        return Pair(issuer.certificate, issuer.key).pem()

    def _issue(self, profile: Profile, now: datetime) -> Pair:
        key = _new_key()
        issuer = self._issuer(profile.authority)
        return Pair(issue.leaf(profile, self.subject, key.public_key(), issuer, _new_serial(), now), key)

    def _flaw(self, profile: Profile, now: datetime) -> Flaw | None:
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
        path = self._path(store.authority_name(which))
        try:
            return store.load_certificate(path.read_bytes())
        except (FileNotFoundError, store.UnreadableError) as error:
            raise _damaged(path, str(error)) from None

    def _issuer(self, which: Authority) -> Issuer:
        path = self._path(store.issuer_name(which))
        try:
            return store.load_issuer(path.read_bytes())
        except (FileNotFoundError, store.UnreadableError) as error:
            raise _damaged(path, str(error)) from None

    def _path(self, name: str) -> Path:
        return self._directory / name


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _new_secretbox_key() -> bytes:
    return secrets.token_bytes(store.SECRETBOX_KEY_BYTES)


def _new_serial() -> int:
    return x509.random_serial_number()


def _write(path: Path, data: bytes, mode: int = durable.MODE_SECRET) -> None:
    durable.write(str(path), data, mode)


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is missing or damaged ({why}), and this node has belonged to a cluster",
        "restore it from a backup, or start on an empty data directory to make another cluster",
    )
