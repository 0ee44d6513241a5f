"""QEMU's arguments follow from the specification and show no secret."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from hepto.lab.qemu import (
    Descriptors,
    Direct,
    Machine,
    Uefi,
    argv,
    broken,
    command_line,
    data_nodes,
    export_argv,
    further_words,
    mended,
    probe_argv,
)
from hepto.lab.spec import Emulator

TEN = Emulator(("qemu-system-x86_64",), (), (10, 0, 2))
SEVEN = replace(TEN, version=(7, 2, 19))
GIVEN = Descriptors(tap=10, console=11, qmp=12, channel=13)
MACHINE = Machine(
    name="one",
    uuid=UUID("12345678-1234-5678-1234-567812345678"),
    hardware_address=bytes.fromhex("525400abcdef"),
    memory=1024,
    cpus=2,
    start=Direct(Path("/image/vmlinuz"), Path("/image/initrd.cpio"), Path("/image/root.erofs"), "console=ttyS0"),
    console_log=Path("/state/console.log"),
    oem_strings=(Path("/state/credentials/hepto.key"),),
    data=Path("/state/data.raw"),
)


def values(words: tuple[str, ...], option: str) -> list[str]:
    return [value for word, value in pairwise(words) if word == option]


def test_the_machine_is_what_the_specification_says() -> None:
    words = argv(TEN, MACHINE, GIVEN)

    assert values(words, "-m") == ["1024"]
    assert values(words, "-smp") == ["2"]
    assert values(words, "-cpu") == ["max"]
    assert values(words, "-uuid") == ["12345678-1234-5678-1234-567812345678"]
    assert values(words, "-append") == ["console=ttyS0"]
    assert "virtio-net-pci,netdev=net0,mac=52:54:00:ab:cd:ef,romfile=" in words


def test_a_clock_begins_where_it_is_told() -> None:
    assert "-rtc" not in argv(TEN, MACHINE, GIVEN)
    assert values(argv(TEN, replace(MACHINE, clock="1970-01-01T00:00:00"), GIVEN), "-rtc") == [
        "base=1970-01-01T00:00:00"
    ]


def test_a_watchdog_is_there_when_it_is_asked_for_and_resets_the_machine() -> None:
    words = argv(TEN, replace(MACHINE, watchdog=True), GIVEN)

    assert "i6300esb" in values(words, "-device")
    assert values(words, "-action") == ["watchdog=reset"]
    assert "i6300esb" not in argv(TEN, MACHINE, GIVEN)


def test_the_root_comes_first_and_cannot_be_written() -> None:
    words = argv(TEN, MACHINE, GIVEN)
    root, *data = values(words, "-blockdev")

    assert "node-name=root" in root
    assert "read-only=on" in root
    assert [json.loads(node) for node in data] == list(data_nodes(Path("/state/data.raw")))
    assert not any("read-only" in node for node in data)
    assert [device for device in values(words, "-device") if device.startswith("virtio-blk")] == [
        "virtio-blk-pci,drive=root,serial=hepto-root",
        "virtio-blk-pci,drive=data,serial=lab-data,bootindex=1",
    ]


def test_uefi_starts_what_is_on_the_only_disk() -> None:
    start = Uefi(Path("/ovmf/code"), Path("/state/vars"))

    words = argv(TEN, replace(MACHINE, start=start), GIVEN)

    code, variables, *data = values(words, "-blockdev")
    assert values(words, "-machine") == ["q35,vmport=off,pflash0=code,pflash1=variables"]
    assert ("read-only=on" in code, "read-only" in variables) == (True, False)
    assert [json.loads(node) for node in data] == list(data_nodes(Path("/state/data.raw")))
    assert not {"-kernel", "-initrd", "-append"} & set(words)


def test_uefi_starts_the_uki_that_it_is_given() -> None:
    start = Uefi(Path("/ovmf/code"), Path("/state/vars"), Path("/image/hepto.efi"))

    words = argv(TEN, replace(MACHINE, start=start, data=None), GIVEN)

    assert values(words, "-kernel") == ["/image/hepto.efi"]
    assert not {"-initrd", "-append"} & set(words)


@pytest.mark.parametrize(
    ("stick", "devices"),
    [(False, ["ide-cd,drive=medium"]), (True, ["qemu-xhci", "usb-storage,removable=on,drive=medium"])],
)
def test_a_medium_is_a_cd_or_a_stick_and_the_disk_comes_first(stick: bool, devices: list[str]) -> None:
    start = Uefi(Path("/ovmf/code"), Path("/state/vars"), medium=Path("/image/hepto.iso"), stick=stick)

    words = argv(TEN, replace(MACHINE, start=start), GIVEN)

    found = values(words, "-device")
    assert [
        device.removesuffix(",bootindex=2") for device in found if "medium" in device or "xhci" in device
    ] == devices
    assert [device.rpartition(",")[2] for device in found if "bootindex" in device] == ["bootindex=2", "bootindex=1"]
    assert "read-only=on" in next(node for node in values(words, "-blockdev") if "hepto.iso" in node)


def test_flushes_of_a_recorded_disk_come_as_far_as_the_log_and_those_of_another_nowhere() -> None:
    *_, plain = data_nodes(Path("/data"))
    image, log, data = data_nodes(Path("/data"), Path("/log"))

    assert plain["cache"] == image["cache"] == log["log"]["cache"] == {"no-flush": True}
    assert log["driver"] == "blklogwrites"
    assert not {"cache", "detect-zeroes"} & (log.keys() | data.keys())
    assert (data["file"], log["file"], log["log"]["filename"]) == (log["node-name"], image["node-name"], "/log")


@pytest.mark.parametrize("writes", [None, Path("/log")])
def test_a_broken_disk_is_mended_by_what_it_was_before(writes: Path | None) -> None:
    *_, below, data = data_nodes(Path("/data"), writes)

    (add, between), (reopen, so) = broken(data)
    (again, as_before), (delete, gone) = mended(data)

    assert (add, reopen, again, delete) == ("blockdev-add", "blockdev-reopen", "blockdev-reopen", "blockdev-del")
    assert between["image"] == below["node-name"]
    assert {rule["iotype"] for rule in between["inject-error"]} == {"read", "write", "write-zeroes"}
    assert so["options"] == [{**data, "file": between["node-name"]}]
    assert as_before["options"] == [data]
    assert gone == {"node-name": between["node-name"]}


def test_without_a_data_disk_there_is_only_the_root() -> None:
    assert len(values(argv(TEN, replace(MACHINE, data=None), GIVEN), "-blockdev")) == 1


def test_every_connection_is_a_descriptor_and_the_console_is_logged() -> None:
    words = argv(TEN, MACHINE, GIVEN)

    assert values(words, "-netdev") == ["tap,id=net0,fd=10"]
    assert values(words, "-chardev") == [
        "socket,id=console,fd=11,logfile=/state/console.log,logappend=on",
        "socket,id=qmp,fd=12",
        "socket,id=channel,fd=13",
    ]
    assert not any("server" in word or "path=/run" in word for word in words)
    assert "virtserialport,chardev=channel,id=channel0,name=hepto.lab" in words


def test_a_secret_is_named_by_its_file() -> None:
    assert values(argv(TEN, MACHINE, GIVEN), "-smbios") == ["type=11,path=/state/credentials/hepto.key"]


def test_a_disk_can_be_had_without_a_machine() -> None:
    words = export_argv(TEN, data_nodes(Path("/data"), Path("/log")), 9)

    assert values(words, "-machine") == ["none"]
    assert [json.loads(node) for node in values(words, "-blockdev")] == list(data_nodes(Path("/data"), Path("/log")))
    assert values(words, "-chardev") == ["socket,id=qmp,fd=9"]


def test_a_comma_in_a_path_is_doubled() -> None:
    words = argv(TEN, replace(MACHINE, console_log=Path("/a,b/log"), data=Path("/a,b/data")), GIVEN)

    assert any("logfile=/a,,b/log," in word for word in words)
    assert any('"filename": "/a,b/data"' in word for word in words)  # JSON


def test_a_machine_may_reboot_but_the_probe_may_not() -> None:
    assert "-no-reboot" not in argv(TEN, MACHINE, GIVEN)
    assert "-no-reboot" in probe_argv(TEN, Path("/image/vmlinuz"))


def test_qemu_7_runs_one_processor_without_cmpxchg16b() -> None:
    words = argv(SEVEN, MACHINE, GIVEN)

    assert values(words, "-cpu") == ["max,cx16=off"]
    assert values(words, "-smp") == ["1"]


def test_with_kvm_the_version_does_not_matter() -> None:
    words = argv(replace(SEVEN, accelerator="kvm"), MACHINE, GIVEN)

    assert values(words, "-accel") == ["kvm"]
    assert values(words, "-cpu") == ["host"]
    assert values(words, "-smp") == ["2"]


def test_the_emulators_own_words_come_first() -> None:
    words = argv(replace(TEN, argv=("/cache/qemu", "-L", "/cache/data")), MACHINE, GIVEN)

    assert words[:3] == ("/cache/qemu", "-L", "/cache/data")


def test_the_command_line_ends_with_the_options() -> None:
    assert command_line(("hepto.name=one",)) == "console=ttyS0 quiet panic=10 root=/dev/vda hepto.name=one"


def test_a_uki_gets_the_same_options_by_smbios() -> None:
    said = further_words(("hepto.name=one", "hepto.debug=lab"))

    assert said == "io.systemd.stub.kernel-cmdline-extra=panic=10 hepto.name=one hepto.debug=lab"
