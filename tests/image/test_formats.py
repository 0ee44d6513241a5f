"""Which formats there are, and that none is made that was not asked for."""

from pathlib import Path

from hepto.lab import spec as lab
from image import formats, medium
from image.profile import VM


def test_the_lab_starts_machines_from_the_formats_that_are_built() -> None:
    assert set(lab.FORMATS) - {lab.USB} == set(formats.FORMATS)
    assert medium.FILE == lab.ISO_FILE
    assert lab.UKI_FILE == formats.UKI_FILE
    assert f"disk.{formats.DISK_TYPES[0]}" == lab.DISK_FILE


def test_for_netboot_alone_nothing_more_is_made(tmp_path: Path) -> None:
    nowhere = tmp_path / "absent"
    source = formats.Source(tmp_path, nowhere, nowhere, nowhere, "6.12", "1", 1, VM)

    assert formats.make(formats.Wish(), source) == {}
    assert list(tmp_path.iterdir()) == []
