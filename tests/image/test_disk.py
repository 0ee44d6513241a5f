"""The partitions of the disk image as systemd-repart is told and as it answers."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import UserError
from image import disk
from init.contract import paths

PARTS = disk.definitions("1.2", "/tmp/root.erofs", "/tmp/esp")


def settings(name: str) -> dict[str, str]:
    (found,) = [dict(part.settings) for part in PARTS if part.name == name]
    return found


def test_a_definition_is_a_file_of_repart_d() -> None:
    part = disk.Partition("10-x", (("Type", "esp"), ("Label", "a")))

    assert part.text == "[Partition]\nType=esp\nLabel=a\n"


def test_the_order_of_the_files_is_that_of_the_disk_and_the_data_come_last_to_grow() -> None:
    assert all(one.name < other.name for one, other in pairwise(PARTS))
    assert dict(PARTS[-1].settings)["Label"] == paths.DATA_LABEL
    assert "CopyBlocks" not in settings("40-data")


def test_both_slots_are_alike_but_for_their_content() -> None:
    sizes = ("Type", "SizeMinBytes", "SizeMaxBytes", "ReadOnly")
    for kind in ("root", "root"), ("root", "verity"):
        suffix = "" if kind[1] == "root" else "-verity"
        one, other = (
            settings(f"20-root-a{suffix}" if not suffix else "21-root-a-verity"),
            settings("30-root-b" if not suffix else "31-root-b-verity"),
        )
        assert [one[key] for key in sizes] == [other[key] for key in sizes]
        assert other["Label"] == "_empty"


def test_stage_0_counts_slots_by_the_labels_that_are_given() -> None:
    assert settings("20-root-a")["Label"] == "hepto_1.2"
    assert re.fullmatch("hepto_.*_verity", settings("21-root-a-verity")["Label"])


def test_the_hashes_of_a_whole_slot_fit() -> None:
    blocks, total = disk.SLOT_MIB << 20 >> 12, 1  # one for the superblock
    while blocks > 1:
        blocks = -(-blocks // 128)
        total += blocks

    assert total << 12 <= disk.VERITY_MIB << 20


def test_pid_1_looks_for_the_esp_by_the_name_that_it_gets() -> None:
    assert settings("10-esp")["Label"] == paths.ESP_LABEL


def test_identifiers_follow_from_the_time_of_the_build() -> None:
    assert disk.seed(1) == disk.seed(1) != disk.seed(2)


ROW = {"type": "esp", "label": "x", "uuid": "u", "offset": 1, "raw_size": 2, "roothash": None, "file": "f"}


def test_the_root_hash_and_the_places_are_read_from_the_last_line() -> None:
    rows = [ROW, {**ROW, "type": "root", "roothash": "ab" * 32}, {**ROW, "type": "hashes", "roothash": "ab" * 32}]

    made = disk.parse(f"Copying in\r 50%\r100%\nAll done.\n{json.dumps(rows)}\n")

    assert made.roothash == "ab" * 32
    assert made.partitions[0] == {"type": "esp", "label": "x", "uuid": "u", "offset": 1, "size": 2}


@pytest.mark.parametrize(
    "output", ["", "All done.", "[{", json.dumps([ROW]), json.dumps([{**ROW, "roothash": "TBD"}]), '[{"a": 1}]']
)
def test_another_answer_is_an_error(output: str) -> None:
    with pytest.raises(UserError, match="did not say"):
        disk.parse(output)


@given(st.text())
def test_any_answer_is_an_error_of_the_user_s_or_a_result(output: str) -> None:
    try:
        disk.parse(output)
    except UserError as error:
        assert error.hint
