"""What fuzzing of backups starts from, and what must hold: a backup, or a BackupError with a named reason.

What is changed is beneath encryption and compression, and is wrapped again: else nothing would get past the tags.
"""

import gzip
import io
import random
from collections.abc import Callable

from hepto.backup import age, archive, copies
from hepto.backup.bolt import Database
from hepto.backup.copies import Arrival, Offer, Refused
from hepto.backup.reasons import BackupError, Reason
from hepto.errors import PeerError
from hepto.wireguard import public_key
from tests.backup.database import REAL, SIZE, branch, bucket, leaf, whole
from tests.backup.example import Taker, packed

KEY = bytes(range(32))
PUBLIC = public_key(KEY)
NAME = "demo-one-20261130T161500Z.age"
FILES = {"pki/ca.crt": b"certificate", "state.json": b"{}", archive.SNAPSHOT: b"database"}
REASONS = frozenset(Reason)


def head(data: bytes) -> str:
    """A file of age."""
    try:
        return f"{len(b''.join(age.decrypt((KEY,), io.BytesIO(data)))) > 0}"
    except BackupError as error:
        assert error.reason in REASONS
        return error.detail


def contents(data: bytes) -> str:
    """A tar archive with a manifest: what is taken has the digests that the manifest says."""
    taker = Taker()
    try:
        manifest = taker.unpack([gzip.compress(data, 1)])
    except BackupError as error:
        assert error.reason is Reason.ARCHIVE
        return error.detail[:30]
    assert tuple(archive.entry(name, content) for name, content in taker.files.items()) == manifest.files
    assert archive.load(archive.dump(manifest)) == manifest
    return "whole"


def database(data: bytes) -> str:
    """etcd's database: it has an end, whatever its pages lead to."""
    try:
        found = Database(memoryview(data))
        return f"{sum(1 for name in (b'meta', b'members', b'key') for _ in found.items(name))}"
    except BackupError as error:
        assert error.reason is Reason.DATABASE
        return error.detail.rstrip("0123456789")


def copy(data: bytes) -> str:
    """A file that a master gives to who keeps a copy: what is taken is whole and encrypted, however it comes."""
    outcomes = set()
    for step in (7, 4096):
        arrival, taken = Arrival(Offer(NAME, len(data))), b""
        try:
            for place in range(0, len(data), step):
                taken += arrival.feed(data[place : place + step])
            arrival.end()
        except PeerError as error:
            assert error.reason in set(Refused)
            outcomes.add(error.detail)
        else:
            assert taken == data
            outcomes.add("whole")
    (outcome,) = outcomes
    return outcome


def offers(data: bytes) -> str:
    """What a master says that there is."""
    try:
        found = copies.load_offers(data, "demo", "one")
    except PeerError as error:
        assert error.reason in set(Refused)
        return error.detail[:20]
    assert copies.load_offers(copies.dump_offers(found), "demo", "one") == found
    assert all("/" not in offer.name and not offer.name.startswith(".") for offer in found)
    return f"{len(found)} offers"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "age": head,
    "archive": contents,
    "database": database,
    "copy": copy,
    "offers": offers,
}


def seeds(target: str) -> tuple[bytes, ...]:
    """Contents to start from."""
    if target == "offers":
        return tuple(copies.dump_offers([Offer(NAME, 1000)] * count) for count in (0, 1, 3))
    if target in ("age", "copy"):
        chance = random.Random(1)
        keys = ([PUBLIC], [bytes(range(9, 41)), PUBLIC])
        return tuple(b"".join(age.encrypt(to, [b"abc"], chance.randbytes)) for to in keys)
    if target == "archive":
        return (gzip.decompress(packed(FILES)),)
    tree = whole(leaf(2, (1, b"meta", bucket(3))), branch(3, 4, 5), leaf(4, (0, b"a", b"1")), leaf(5, (0, b"b", b"2")))
    return bytes(tree), bytes(REAL)


def change(data: bytes, chance: random.Random) -> bytes:
    """A few bytes that are others, missing or too many, where the structure is more often than elsewhere."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        page = chance.randrange(1 + len(changed) // SIZE) * SIZE
        near = page + chance.randrange(64)
        place = min(near if chance.random() < 0.5 else chance.randrange(len(changed) + 1), len(changed))
        kind = chance.randrange(4)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[place : place + 1] = bytes((chance.choice((0, 1, 2, 3, 4, 32, 45, 62, 127, 255)),))
        elif kind == 2:
            changed[place:place] = chance.randbytes(chance.randrange(1, 9))
        else:
            del changed[place : place + chance.choice((1, 8, 512))]
    return bytes(changed)


def fuzz(target: str, count: int, seed: int) -> list[str]:
    """What became of each input. An exception says that the promise is broken; the same seed gives the same inputs."""
    chance = random.Random(seed)
    pool = list(seeds(target))
    outcomes: dict[str, int] = {}
    for _ in range(count):
        data = change(chance.choice(pool), chance)
        try:
            outcome = TARGETS[target](data)
        except Exception as error:
            error.add_note(f"python -m tests.fuzz --replay {target}:none:{data.hex()}")
            raise
        if outcome not in outcomes and len(pool) < 50:
            pool.append(data)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return list(outcomes)
