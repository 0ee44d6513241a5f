"""Credentials from firmware: the right ones are found, any bytes are survived, no value is shown or readable by
others."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init import credentials
from init.credentials import Credential, Found, oem_strings, parse_smbios, read_fw_cfg, read_smbios, valid_name
from tests.fakes.smbios import END, structure, table


def test_text_and_binary_credentials_are_found() -> None:
    found = parse_smbios(
        table(
            b"io.systemd.credential:hepto.name=one",
            b"io.systemd.credential.binary:hepto.key=" + b"AAEC/w==",
            b"other:x=y",
        )
    )

    assert found == Found((Credential("hepto.name", b"one"), Credential("hepto.key", b"\0\1\2\xff")))


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    found = parse_smbios(table(b"io.systemd.credential:a=b=c", b"io.systemd.credential:e="))

    assert found.credentials == (Credential("a", b"b=c"), Credential("e", b""))


def test_strings_of_several_structures_are_all_read() -> None:
    data = structure(11, b"\1", b"io.systemd.credential:a=1") + structure(11, b"\1", b"io.systemd.credential:b=2") + END

    assert [item.name for item in parse_smbios(data).credentials] == ["a", "b"]


def test_strings_of_other_structures_and_after_the_end_are_not_read() -> None:
    text = b"io.systemd.credential:a=1"
    data = structure(1, b"\1", text) + END + structure(11, b"\1", text)

    assert list(oem_strings(data)) == []


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (b"io.systemd.credential:../etc=x", "'../etc' is no name"),
        (b"io.systemd.credential:.hidden=x", "'.hidden' is no name"),
        (b"io.systemd.credential:novalue", "'novalue' is no name"),
        (b"io.systemd.credential:=x", "'' is no name"),
        (b"io.systemd.credential.binary:k=!!secret!!", "k is not base64"),
    ],
)
def test_a_bad_one_is_named_without_its_value_and_costs_no_other(text: bytes, mistake: str) -> None:
    found = parse_smbios(table(text, b"io.systemd.credential:good=1"))

    assert found.credentials == (Credential("good", b"1"),)
    assert len(found.mistakes) == 1
    assert mistake in found.mistakes[0]
    assert "secret" not in found.mistakes[0]


def test_of_two_with_one_name_the_first_counts() -> None:
    found = parse_smbios(table(b"io.systemd.credential:a=1", b"io.systemd.credential:a=2"))

    assert found.credentials == (Credential("a", b"1"),)
    assert "twice" in found.mistakes[0]


def test_a_value_is_in_no_representation() -> None:
    assert "s3cret" not in repr(Found((Credential("hepto.key", b"s3cret"),)))


@given(st.binary(max_size=2048))
def test_any_bytes_are_survived(data: bytes) -> None:
    parse_smbios(data)


@given(st.integers(0, 200))
def test_a_cut_table_gives_whole_credentials_or_none(length: int) -> None:
    whole = table(b"io.systemd.credential:a=12345")

    assert parse_smbios(whole[:length]).credentials in ((), (Credential("a", b"12345"),))


NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40).filter(
    lambda name: valid_name(name) and "=" not in name
)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=5))
def test_what_is_put_in_comes_out(values: dict[str, bytes]) -> None:
    strings = [
        b"io.systemd.credential.binary:%s=%s" % (name.encode(), base64.b64encode(value))
        for name, value in values.items()
    ]

    found = parse_smbios(table(*strings))

    assert {item.name: item.value for item in found.credentials} == values
    assert found.mistakes == ()


def test_too_much_is_cut_and_said() -> None:
    big = b"x" * (credentials.MAX_VALUE - 10)

    found = parse_smbios(table(b"io.systemd.credential:a=" + big, b"io.systemd.credential:b=" + big))

    assert [item.name for item in found.credentials] == ["a"]
    assert "over" in found.mistakes[0]


def test_a_machine_without_smbios_or_fw_cfg_has_none(tmp_path: Path) -> None:
    assert read_smbios(str(tmp_path)) == Found()
    assert read_fw_cfg(str(tmp_path)) == Found()


def test_fw_cfg_files_are_read_as_they_are(tmp_path: Path) -> None:
    for name, value in {"hepto.key": b"\0\1", ".no": b"", "hepto.name": b"one\n"}.items():
        (directory := tmp_path / credentials.FW_CFG.lstrip("/") / name).mkdir(parents=True)
        (directory / "raw").write_bytes(value)

    found = read_fw_cfg(str(tmp_path))

    assert found.credentials == (Credential("hepto.key", b"\0\1"), Credential("hepto.name", b"one\n"))
    assert "'.no' is no name" in found.mistakes[0]


def test_files_are_for_root_alone_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    items = (Credential("hepto.key", b"k"),)

    credentials.write("smbios", items, str(tmp_path))
    path = tmp_path / "run/credentials/smbios/hepto.key"
    before = path.stat().st_ino
    credentials.write("smbios", items, str(tmp_path))

    assert path.read_bytes() == b"k"
    assert path.stat().st_ino == before
    modes = [os.stat(item).st_mode & 0o777 for item in (path, path.parent, path.parent.parent)]
    assert modes == [0o400, 0o700, 0o700]
