"""That the report of a built image accounts for all of it (marker `image`)."""

import json
import mmap
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from image import account
from image.erofs import COMPRESSED_COMPACT, COMPRESSED_FULL, FLAT_INLINE, Image
from image.picture import draw
from image.report import report
from image.tree import inside

pytestmark = pytest.mark.image


def test_rows_sum_to_each_file_s_size_and_little_is_left_unexplained(image: Path) -> None:
    rows = report(image)[:-1]

    for name in ("vmlinuz", "initrd.cpio", "root.erofs"):
        size = (image / name).stat().st_size
        assert sum(row.compressed for row in rows if row.file == name) == size
        rest = sum(row.compressed for row in rows if row.file == name and row.part == account.REMAINDER)
        assert 0 <= rest < size / 200
    assert {row.part for row in rows} == set(account.PARTS)


def test_no_two_inodes_share_a_byte(image: Path) -> None:
    with (image / "root.erofs").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        read = Image(data)
        spans = set()
        for entry in read.everything():
            inode = read._inode(entry.number)
            inline = 0
            if inode.layout in {COMPRESSED_COMPACT, COMPRESSED_FULL}:
                inline = entry.stored - inode.union * read._block
            elif inode.layout == FLAT_INLINE:
                inline = entry.size % read._block
            spans.add((inode.start, inode.start + entry.overhead + inline))

    assert len(spans) > 3000
    assert [one for one, two in pairwise(sorted(spans)) if one[1] > two[0]] == []


def test_every_package_in_the_report_has_a_version(image: Path) -> None:
    rows = json.loads((image / "manifest.json").read_text())["sizes"]
    others = {account.METADATA, account.REMAINDER, account.IMAGES}

    assert [row["package"] for row in rows if not row["version"] and row["part"] not in others] == []


def test_the_picture_shows_every_part(image: Path) -> None:
    picture = draw(report(image)[:-1])

    assert [part for part in account.PARTS if f"<title>{part}: " not in picture] == []


WITHOUT = """
import datetime, decimal, io, sys, zipfile
assert not {"_pydatetime", "_pydecimal", "_pyio"} & set(sys.modules)
for name in ("utf-8", "utf-16", "ascii", "latin-1", "cp1252", "cp437", "idna", "punycode"):
    "a".encode(name)
try:
    "a".encode("koi8-r")
except LookupError:
    print(decimal.Decimal("0.1"), datetime.date(2025, 1, 2))
"""


def test_python_does_without_its_fallbacks_and_legacy_codecs(root: Path) -> None:
    result = subprocess.run(
        [*inside(root), "/usr/bin/python3", "-I", "-c", WITHOUT], capture_output=True, text=True, check=False
    )

    assert (result.stdout, result.stderr) == ("0.1 2025-01-02\n", "")
