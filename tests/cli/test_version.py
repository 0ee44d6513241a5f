"""`hepto --version` says what runs here: hepto, image and upstream stack."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.cli import version
from image import binaries

IMAGE = {"version": "1.2.3", "built": 1_767_225_600, "stack": {"etcd": "v3", "kubernetes": "v1", "zlib": "v0"}}


def test_on_a_node_it_is_that_of_the_image(tmp_path: Path) -> None:
    file = tmp_path / "image.json"
    file.write_text(json.dumps(IMAGE))

    assert version.text(file).splitlines() == [
        "hepto 1.2.3",
        "image 1.2.3 of 2026-01-01 00:00 UTC: kubernetes v1, etcd v3, zlib v0",
    ]


def test_elsewhere_it_is_what_a_build_would_take(tmp_path: Path) -> None:
    first, second = version.text(tmp_path / "nothing").splitlines()

    assert first == f"hepto {version.installed()}"
    assert second.startswith("builds images with kubernetes v1.")
    required = (binaries.SOURCE / "go.mod").read_text()
    for name, found in version.to_build().items():
        assert f"{name} {found}" in second
        assert f"{binaries.NAMED[name]} {found}" in required


def test_all_of_the_stack_is_named_in_an_order_that_is_meant() -> None:
    assert set(version.ORDER) == set(binaries.NAMED)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1"}', '{"version": 1, "built": "x", "stack": {}}', "1"])
def test_a_file_that_is_none_of_ours_is_no_image(text: str, tmp_path: Path) -> None:
    file = tmp_path / "image.json"
    file.write_text(text)

    assert version.read(file) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_none(data: bytes) -> None:
    class File:
        def read_bytes(self) -> bytes:
            return data

    assert version.read(File()) is None  # type: ignore[arg-type]  # of a Path only read_bytes is used
