"""`hepto install`: what it says where there is nothing to install from, and how it lists and asks."""

import pytest
from click.testing import CliRunner

from hepto.cli import install
from hepto.errors import UserError
from hepto.install.layout import MIB, Disk, Layout, Partition

MEDIUM = Layout("1", (Partition("T", "d", MIB, MIB),))
DISKS = (
    Disk("/dev/sda", 8 << 30, "Fast 500", "S1", "2 partitions: a, b"),
    Disk("/dev/sdb", 1 << 30, content="iso9660", in_use=True),
    Disk("/dev/sdc", 2 * MIB),
)


def test_elsewhere_than_on_a_medium_it_says_how_to_make_one() -> None:
    with pytest.raises(UserError, match="not started from an installation medium") as caught:
        CliRunner().invoke(install.command, [], catch_exceptions=False)

    assert "hepto build --format iso" in caught.value.hint


def test_disks_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    install.show(DISKS, MEDIUM, as_json=False)

    assert [line.split("  ")[-1].strip() for line in capsys.readouterr().out.splitlines()[1:]] == [
        *("2 partitions: a, b", "iso9660 (in use)", "blank (too small)"),
    ]


def test_a_machine_without_disks_is_told_so() -> None:
    with pytest.raises(UserError, match="no disk"):
        install.show((), MEDIUM, as_json=False)


def test_nobody_is_asked_about_a_blank_disk() -> None:
    assert install.asked(DISKS[2]) is None
