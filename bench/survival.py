"""What is on a node's data disk after a power cut, looked at from outside: nothing of the node runs.

    file system   what the node does at its boot has to mend it (e2fsck -p), and leave nothing to mend (e2fsck -fn)
    state         every file of identity/ and pki/ is whole and known to the code that reads it on a node; what is made
                  once is what it was; nothing that had been told before the cut is gone
    numbers       files that hold a number, written again and again: how far each has come

Each check gives sentences about what is wrong; none is what a test wants to see.
"""

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hepto.errors import UserError
from hepto.node import state
from hepto.pki import grant, register, revocations, store, verify
from hepto.pki.profiles import Authority
from hepto.pki.reasons import PkiError
from init import blockdevices
from init.disks import Decision, Disk, decide

E2FSCK, DEBUGFS, BLKID = "/usr/sbin/e2fsck", "/usr/sbin/debugfs", "/usr/sbin/blkid"
MENDED: Final = (0, 1)
"""e2fsck(8): nothing was wrong, or all of it is right now."""
NUMBERS: Final = "powercut"
"""Directory of the files with numbers, at the root of the disk."""
COPIES: Final = 700
"""How many lines with its number such a file has: so many that it fills several sectors."""
ONCE: Final = frozenset(
    {
        "identity/identity.pem",
        "identity/wireguard.key",
        "pki/service-account.pem",
        "pki/service-account.pub",
        "pki/secrets-encryption.json",
        *(f"pki/{which.value}.{kind}" for which in Authority for kind in ("crt", "pem")),
    }
)
"""What a node makes once in its life."""


@dataclass(frozen=True)
class Told:
    """What had been told to somebody before the power was cut."""

    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of files of the node's directory that are never changed, by their path in it."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """How far each counter was said to have come; `etcd` is one of them."""


def decision(disk: Path) -> Decision:
    """What the node's boot would do with a whole disk that is this file."""
    with disk.open("rb") as file:
        found = blockdevices.look(file.fileno(), Disk("/dev/vdb", disk.stat().st_size))
    said = subprocess.run([BLKID, "-p", "-o", "export", disk], capture_output=True, check=False)
    content = "" if found.label else blockdevices.content_of(said.returncode, said.stdout)
    return decide((replace(found, content=content),))


def file_system(disk: Path) -> list[str]:
    """Mend it as a boot does, and look for what is left."""
    first = _run(E2FSCK, "-p", str(disk))
    if first.returncode not in MENDED:
        return [f"e2fsck -p ends with {first.returncode}: {_said(first)}"]
    second = _run(E2FSCK, "-fn", str(disk))
    return [f"e2fsck -fn after -p ends with {second.returncode}: {_said(second)}"] if second.returncode else []


def extract(disk: Path, paths: tuple[str, ...], target: Path) -> None:
    """Copy files and directories out of a whole ext4, without mounting it; what is not there is left out."""
    script = "".join(f'rdump "{path}" "{target}"\n' for path in paths)
    _run(DEBUGFS, "-f", "-", str(disk), stdin=script)


def node_state(directory: Path, told: Told, known: Mapping[str, str]) -> list[str]:
    """Of what was extracted of a node's directory. `known`: of what is made once, what it was at the end."""
    wrong = []
    for name, digest in told.files.items():
        if not (directory / name).is_file():
            wrong.append(f"{name} is lost")
        elif _digest(directory / name) != digest:
            wrong.append(f"{name} is another one")
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not path.is_file() or path.name.startswith("."):
            continue
        if reason := unreadable(name, path.read_bytes(), directory):
            wrong.append(f"{name} is damaged: {reason}")
        if name in ONCE and name in known and _digest(path) != known[name]:
            wrong.append(f"{name} was made twice")
    return wrong


def unreadable(name: str, data: bytes, directory: Path) -> str:
    """Why the node's own code would not take this file; empty if it would, or if the file is none of its own."""
    locked = (directory / "pki" / store.authority_name(Authority.CLUSTER)).is_file()
    if name in (f"pki/{store.GRANT}", f"pki/{store.REVOCATIONS}") and not locked:
        return ""  # of a join that was not finished: nobody reads them, and they are made anew
    readers: dict[str, Callable[[bytes], object]] = {
        "state.json": _read_state,
        "identity/identity.pem": store.load_identity,
        "identity/wireguard.key": _exactly(32),
        f"pki/{store.SERVICE_ACCOUNT}": store.load_key,
        f"pki/{store.SERVICE_ACCOUNT_PUBLIC}": serialization.load_pem_public_key,
        f"pki/{store.SECRETS_ENCRYPTION}": json.loads,
        f"pki/{store.KEYRING}": store.load_keyring,
        f"pki/{store.MASTER}": store.load_master,
        f"pki/{store.ADMINS}": store.load_admins,
        f"pki/{store.REGISTER}": register.load,
        f"pki/{store.GRANT}": lambda content: grant.verify(content, directory.name, _authority(directory)),
        f"pki/{store.REVOCATIONS}": lambda content: revocations.verify(content, _authority(directory)),
    }
    if name.startswith("pki/"):
        other = {".pem": store.load_pair, ".crt": store.load_certificate}.get(Path(name).suffix)
        reader = readers.get(name, other)
    else:
        reader = readers.get(name)
    if reader is None:
        return ""
    try:
        reader(data)
    except (ValueError, UserError, PkiError, *verify.UNREADABLE) as error:
        return str(error) or repr(error)
    return ""


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of what is made once, as far as it is there."""
    return {name: _digest(directory / name) for name in sorted(ONCE) if (directory / name).is_file()}


def content(number: int) -> bytes:
    """Of a file that holds a number: in every line, so that half of a file is not taken for a whole one."""
    return b"%d\n" % number * COPIES


def number(path: Path) -> int | None:
    """What such a file holds: 0 if it is not there, None if it is not whole."""
    if not path.is_file():
        return 0
    data = path.read_bytes()
    first = data.partition(b"\n")[0]
    return int(first) if first.isdigit() and data == content(int(first)) else None


def lost(name: str, found: int | None, told: Told) -> str:
    """What is wrong with a counter that has come as far as `found`; empty if nothing is."""
    if found is None:
        return f"{name} is neither before nor after"
    wanted = told.numbers.get(name, 0)
    return f"{name} is at {found}, and {wanted} had been told" if found < wanted else ""


def _read_state(data: bytes) -> object:
    if not isinstance(json.loads(data), dict):
        raise ValueError("no object")  # noqa: TRY004 - the file is wrong, not our code
    return state.load(data, "state.json")


def _exactly(length: int) -> Callable[[bytes], object]:
    def check(data: bytes) -> None:
        if len(data) != length:
            raise ValueError(f"{len(data)} bytes")

    return check


def _authority(directory: Path) -> x509.Certificate:
    return store.load_certificate((directory / "pki" / store.authority_name(Authority.CLUSTER)).read_bytes())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, errors="replace", check=False)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return "; ".join(lines[-4:]) or "nothing"
