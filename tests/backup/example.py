"""A small backup, in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hepto.backup import archive
from hepto.backup.archive import Entry, Manifest
from hepto.backup.etcd import Member

FILES = {"pki/ca.crt": b"certificate", "state.json": b"{}", archive.SNAPSHOT: bytes(range(256)) * 40}
BARE = Manifest(
    "mycluster", "mymaster", 64 * "a", 1_800_000_000, "0.1.0", "3.7.3", Member(2**64 - 1, 7), revision=12, files=()
)


def manifest(files: dict[str, bytes] = FILES) -> Manifest:
    return replace(BARE, files=tuple(archive.entry(name, data) for name, data in files.items()))


def packed(files: dict[str, bytes] = FILES, listed: Manifest | None = None) -> bytes:
    contents = {name: [data] for name, data in files.items()}
    return b"".join(archive.pack(listed or manifest(files), contents))


class Taker:
    """Takes in what comes."""

    def __init__(self) -> None:
        self.begun: list[Manifest] = []
        self.files: dict[str, bytes] = {}

    def take(self, one: Entry, content: Iterator[bytes]) -> None:
        self.files[one.name] = b"".join(content)

    def unpack(self, pieces: Sequence[bytes]) -> Manifest:
        return archive.unpack(pieces, self.begun.append, self.take)
