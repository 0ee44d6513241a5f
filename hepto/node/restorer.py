"""Brings a cluster back on a new machine: `hepto.restore` makes the master's data directory of a backup.

It happens before the node knows who it is, for that is in the backup, too. Promises: the directory appears whole or not
at all; where the cluster has data already nothing is read or written. What is wrong is said, and tried again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hepto.backup import driver
from hepto.backup.archive import Manifest
from hepto.backup.reasons import BackupError, Reason
from hepto.config import Config
from hepto.edge import files
from hepto.errors import UserError
from hepto.given import printable
from hepto.node.identity import STATE
from hepto.pki import register, store, verify
from hepto.pki.profiles import Authority
from hepto.values import Secret
from init.contract import durable, paths

OPTION: Final = "hepto.restore"
MARKER: Final = "restored.json"
"""In a node's directory that was made of a backup: the next boots go on with it, whatever hepto.restore says."""
WORK: Final = ".restore"
"""Below the data root, while it is unpacked."""
HINTS: Final = {
    Reason.HEADER: "take another copy of it",
    Reason.NO_MATCH: "give the key that belongs to hepto.backup-to as the credential hepto.restore-key",
    Reason.HEADER_MAC: "take another copy of it",
    Reason.PAYLOAD: "take another copy of it",
    Reason.ARCHIVE: "take another copy of it, or the version of hepto that made it",
    Reason.DATABASE: "take another copy of it",
}


@dataclass(frozen=True)
class Restored:
    """What was brought back."""

    node: str
    fingerprint: str
    made: int
    """Unix seconds."""


def restore(config: Config) -> Restored | None:
    """Do it if it is to be done. None: this is the node that was made of a backup before. Raises UserError, OSError."""
    assert config.restore is not None, "the option is given"
    base = f"{config.data}/{config.cluster}"
    there = _there(base)
    if there:
        if all(Path(base, name, MARKER).exists() for name in there):
            return None
        what = f"{OPTION} is given, and this disk has a cluster {config.cluster} already (node {', '.join(there)})"
        raise UserError(what, f"leave {OPTION} out to go on with it, or start on an empty data disk")
    path = _path(config.restore)
    try:
        with Path(path).open("rb") as file:
            found = _unpack(file, config, base)
    except BackupError as error:
        what = f"{path} cannot be restored: {error.detail}"
        raise UserError(printable(what), _hint(error.reason, config.restore_key)) from None
    except FileNotFoundError as error:
        if error.filename != path:
            raise
        raise UserError(f"{OPTION}: there is no {path}", "attach what it is on; it is looked for again") from None
    return Restored(found.node, found.fingerprint, found.made)


def _path(given: str) -> str:
    """A name without a slash is of a file on the ESP."""
    return given if given.startswith("/") else f"{paths.ESP}/{given}"


def _there(base: str) -> tuple[str, ...]:
    """The nodes of this cluster that the disk has: whoever has been in it, or only has a name."""
    marks = (STATE, "pki", "etcd")
    return tuple(name for name in files.names(base) if any(Path(base, name, mark).exists() for mark in marks))


def _hint(reason: Reason, key: Secret | None) -> str:
    if reason is Reason.NO_MATCH and key is None:
        return "give its key as the credential hepto.restore-key"
    return HINTS[reason]


def _unpack(file: BinaryIO, config: Config, base: str) -> Manifest:
    keys = (config.restore_key,) if config.restore_key is not None else ()

    def begin(manifest: Manifest) -> str:
        if manifest.cluster != config.cluster:
            what = f"the backup is of cluster {manifest.cluster}, and hepto.cluster is {config.cluster}"
            raise UserError(what, "give the backup of this cluster, or the name of that one")
        if config.name not in (None, manifest.node):
            what = f"the backup is of node {manifest.node}, and hepto.name is {config.name}"
            raise UserError(what, "leave hepto.name out: the name is in the backup")
        if config.ca not in (None, manifest.fingerprint):
            what = f"the backup has the CA {manifest.fingerprint}, not that of hepto.ca"
            raise UserError(what, "give the backup of the cluster with that CA")
        return f"{base}/{manifest.node}"

    def check(manifest: Manifest, directory: str) -> None:
        _check(manifest, directory, config)
        told = {"node": manifest.node, "fingerprint": manifest.fingerprint, "made": manifest.made}
        durable.write(f"{directory}/{MARKER}", json.dumps(told).encode() + b"\n")

    durable.make_directory(str(config.data))
    return driver.restore(file, keys, f"{config.data}/{WORK}", begin, check)


def _check(manifest: Manifest, directory: str, config: Config) -> None:
    """That it is a master, and the one that the manifest speaks of: a forged backup must not pass for this cluster."""

    def read(name: str) -> bytes:
        data = files.read(f"{directory}/{name}")
        if data is None:
            raise BackupError(Reason.ARCHIVE, f"it has no {name}")
        return data

    try:
        for which in Authority:
            issuer = store.load_issuer(read(f"pki/{store.issuer_name(which)}"))
            if issuer.certificate != store.load_certificate(read(f"pki/{store.authority_name(which)}")):
                raise BackupError(Reason.ARCHIVE, f"it has two CAs for {which.value}")
            if which is Authority.CLUSTER and verify.fingerprint(issuer.certificate) != manifest.fingerprint:
                raise BackupError(Reason.ARCHIVE, "its CA is another than it says")
        store.load_key(read(f"pki/{store.SERVICE_ACCOUNT}"))
        for name in (store.SERVICE_ACCOUNT_PUBLIC, store.SECRETS_ENCRYPTION, store.GRANT, store.MASTER):
            read(f"pki/{name}")
        known = register.load(read(f"pki/{store.REGISTER}")).nodes.get(manifest.node)
    except store.UnreadableError as error:
        raise BackupError(Reason.ARCHIVE, f"a key in it is damaged: {error}") from None
    except UserError as error:  # of the register
        raise BackupError(Reason.ARCHIVE, error.what) from None
    if known is None:
        raise BackupError(Reason.ARCHIVE, f"its register does not know {manifest.node}")
    if known.grant.role != config.role:
        what = f"the backup is of a node of role {known.grant.role.value}, and hepto.role is {config.role.value}"
        raise UserError(what, f"give hepto.role={known.grant.role.value}")
