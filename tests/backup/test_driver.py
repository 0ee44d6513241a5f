"""A disk that begins with a backup: where it ends, whatever its last bytes are."""

import io
import random
from pathlib import Path

import pytest

from hepto.backup import age, driver
from hepto.backup.archive import Manifest
from hepto.backup.driver import PIECE
from hepto.backup.reasons import BackupError, Reason
from hepto.values import Secret
from hepto.wireguard import public_key
from tests.backup.database import SNAPSHOT
from tests.backup.example import BARE

KEY = Secret(bytes(range(32)))
MEMBER = BARE.member.__class__(1047268123307745355, 256858147113938919)


@pytest.mark.parametrize("zeros", [0, 1, 511, PIECE, 3 * PIECE + 7])
@pytest.mark.parametrize("tail", [b"\1", b"\1\0", b"\1\0\0\0"])
def test_the_end_is_found_behind_which_there_are_only_zeros(tail: bytes, zeros: int) -> None:
    data = random.Random(1).randbytes(1000) + tail
    found = driver.ends(io.BytesIO(data + bytes(zeros)), padded=True)

    assert len(data) in found
    assert driver.ends(io.BytesIO(data + bytes(zeros)), padded=False) == (len(data) + zeros,)


def test_an_empty_disk_has_an_end() -> None:
    assert 0 in driver.ends(io.BytesIO(bytes(2 * PIECE)), padded=True)


def test_a_backup_on_a_disk_is_restored(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    snapshot = tmp_path / "snapshot"
    snapshot.write_bytes(SNAPSHOT)
    manifest = Manifest(**{**vars(BARE), "member": MEMBER})
    with snapshot.open("rb") as source:
        driver.write(str(file), manifest, {"state.json": b"{}"}, source, [public_key(KEY.reveal())])
    backup = file.read_bytes()
    file.write_bytes(backup + bytes(4096))

    with file.open("rb") as disk:
        (end, *_) = driver.ends(disk, padded=True)
        data = b"".join(driver.opened(driver.Part(disk, end), (KEY,)))
        with pytest.raises(BackupError) as refused:
            list(driver.opened(driver.Part(disk, end + 1), (KEY,)))

    assert end == len(backup)
    assert data.startswith(driver.GZIP)
    assert refused.value.reason is Reason.PAYLOAD


def test_a_part_is_read_as_a_file_is() -> None:
    data = age.MAGIC + bytes(range(256)) * 5000
    buffered = io.BufferedReader(driver.Part(io.BytesIO(data + b"more"), len(data)))

    assert buffered.readline(100) == age.MAGIC
    assert buffered.read() == data[len(age.MAGIC) :]
