import errno
import os

import pytest

from hepto.edge.files import Space
from hepto.node import storage

MIB, GIB = 1 << 20, 1 << 30
ROOT = "/var/lib/hepto"


def failed(number: int, path: str | None = f"{ROOT}/demo/one/state.json") -> OSError:
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_the_disk_is_to_blame_for_its_own_files_and_for_those_without_a_name(number: int) -> None:
    assert storage.fault(failed(number), ROOT) == number
    assert storage.fault(failed(number, ROOT), ROOT) == number
    assert storage.fault(failed(number, None), ROOT) == number


@pytest.mark.parametrize(
    "error",
    [
        failed(errno.ENOSPC, "/run/hepto/services/etcd.json"),
        failed(errno.ENOSPC, f"{ROOT}-of-another/file"),
        failed(errno.EACCES),
        failed(errno.ENOENT),
        OSError("larger than 5 bytes"),
    ],
    ids=["memory", "another", "refused", "none", "ours"],
)
def test_the_disk_is_not_to_blame_for_anything_else(error: OSError) -> None:
    assert storage.fault(error, ROOT) == 0


def test_a_full_disk_is_told_with_its_size_and_what_helps() -> None:
    what, hint = storage.explain(errno.ENOSPC, Space(8 * GIB, 5000, 1000, 100))

    assert what == "the data disk is full: 0 MiB free of 8.0 GiB"
    assert hint == "remove images, pods or files that are not needed; the node goes on by itself then"


def test_small_changes_of_a_full_disk_are_no_other_words() -> None:
    words = {storage.explain(errno.ENOSPC, Space(8 * GIB, free, 1000, 100)) for free in (0, 4096, MIB - 1)}

    assert len(words) == 1


def test_a_disk_without_inodes_is_not_called_full() -> None:
    what, _ = storage.explain(errno.ENOSPC, Space(8 * GIB, 4 * GIB, 524288, 0))

    assert what == "the data disk has no inode for another file: 0 of 524288 are free"


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Space(8 * GIB, 1, 1000, 1), True),
        (Space(8 * GIB, 0, 1000, 1), False),
        (Space(8 * GIB, GIB, 1000, 0), False),
        (Space(8 * GIB, GIB, 0, 0), True),
    ],
)
def test_room_is_bytes_and_an_inode(space: Space, expected: bool) -> None:
    assert storage.has_room(space) is expected


def test_a_file_system_without_a_number_of_inodes_is_full() -> None:
    assert "full" in storage.explain(errno.ENOSPC, Space(8 * GIB, 0, 0, 0))[0]
    assert "full" in storage.explain(errno.EDQUOT, None)[0]


@pytest.mark.parametrize(("number", "says"), [(errno.EROFS, "read-only"), (errno.EIO, "input/output error")])
def test_other_faults_have_their_own_words(number: int, says: str) -> None:
    what, hint = storage.explain(number, Space(8 * GIB, GIB, 1000, 100))

    assert says in what
    assert "replace it" in hint


@pytest.mark.parametrize(
    ("trouble", "answers", "now", "expected"),
    [
        (400.0, None, 9000.0, False),
        (400.0, 500.0, 529.0, False),
        (400.0, 500.0, 530.0, True),
        (299.0, 500.0, 3898.0, False),
        (299.0, 500.0, 3899.0, True),
        (299.0, 3890.0, 3899.0, False),
    ],
    ids=["silent", "not for long enough", "steady", "bad from the boot on", "an hour later", "but only now"],
)
def test_a_reboot_comes_late_rather_than_often(
    trouble: float, answers: float | None, now: float, expected: bool
) -> None:
    assert storage.may_reboot(trouble=trouble, answers=answers, now=now) is expected


def test_every_fault_is_explained() -> None:
    assert len({storage.explain(number, None)[0] for number in storage.FAULTS}) == 3
    assert storage.silent(30.0)[0] == "the data disk has not answered for 30 s"
