"""The kernel's messages: what becomes of a record, and of what is missing."""

import errno
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.options import OPTIONS
from init import kernellog
from init.kernellog import KernelLog, Message, parse
from tests.fakes.kmsg import Kmsg


@pytest.fixture
def kmsg() -> Iterator[Kmsg]:
    found = Kmsg()
    yield found
    found.close()


def lines(log: KernelLog) -> list[str]:
    return [line for entry in log.read() for line in entry.data.decode().splitlines()]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"6,339,5140900,-;NET: Registered protocol family 10\n", (339, 5140900, "NET: Registered protocol family 10")),
        (b"3,2,7,c;no ro\x6fm; here\n KEY=v\n", (2, 7, "error: no room; here")),
        (b"4,340,5690716,-,caller=T1;udevd\n", (340, 5690716, "warning: udevd")),
        (b"30,5,6,-;systemd[1]: hello\n", (5, 6, "user space: systemd[1]: hello")),
        (b"6,1,2,-;\xff\n", (1, 2, "\ufffd")),
    ],
)
def test_a_record_is_a_line_with_its_level_if_that_is_worth_a_look(
    record: bytes, message: tuple[int, int, str]
) -> None:
    assert parse(record) == Message(*message)


@pytest.mark.parametrize(
    "option", sorted({name for one in OPTIONS if one.secret for name in (one.name, one.name.replace("-", "_"))})
)
@pytest.mark.parametrize("value", ["canary", '"can ary canary"', "can\\x09ary,canary"])
def test_secrets_of_the_kernel_command_line_are_not_kept(option: str, value: str) -> None:
    """The kernel prints its command line, and once more what it does not know of it."""
    line = f"root=/dev/vda hepto.{option}={value} quiet hepto.name=one hepto.{option}={value}"
    for record in (f"5,1,1,-;Command line: {line}\n", f'5,2,1,-;Unknown parameters "{line}", will be passed\n'):
        found = parse(record.encode())

        assert found is not None
        assert "can" not in found.text
        assert f"root=/dev/vda hepto.{option}=*** quiet hepto.name=one hepto.{option}=***" in found.text


@given(st.binary(max_size=200))
def test_whatever_is_read_is_a_message_or_none(record: bytes) -> None:
    found = parse(record)

    assert found is None or "\n" not in found.text


def test_messages_of_one_moment_are_written_at_once_with_the_kernel_s_times(kmsg: Kmsg) -> None:
    for sequence, microseconds in enumerate((1_000_000, 1_009_999, 1_010_000, 70_000_005)):
        kmsg.say(sequence, microseconds, f"number {sequence}")
    reader = kmsg.open()
    entries = list(KernelLog(reader).read())
    os.close(reader)

    assert [entry.data for entry in entries] == [
        b"[    1.000000] number 0\n[    1.009999] number 1\n",
        b"[    1.010000] number 2\n",
        b"[   70.000005] number 3\n",
    ]
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    slept = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert entries[0].boot - 1_000_000_000 == pytest.approx(slept, abs=1e9)
    assert entries[2].wall - entries[0].wall == pytest.approx(69_000_005_000, abs=1e9)


def test_what_is_missing_is_counted_at_its_place(kmsg: Kmsg) -> None:
    kmsg.say(7, 1_000_000, "first there is")
    kmsg.say(8, 2_000_000, "next")
    reader = kmsg.open()
    log = KernelLog(reader)
    assert lines(log) == [
        "[    1.000000] hepto: 7 messages are missing, they were overwritten before a read",
        "[    1.000000] first there is",
        "[    2.000000] next",
    ]
    kmsg.say(12, 3_000_000, "later")

    assert lines(log) == [
        "[    3.000000] hepto: 3 messages are missing, they were overwritten before a read",
        "[    3.000000] later",
    ]
    assert lines(log) == []
    os.close(reader)


def test_a_new_reader_goes_on_behind_the_last_message(kmsg: Kmsg) -> None:
    for sequence in range(5):
        kmsg.say(sequence, sequence * 1_000_000, f"number {sequence}")
    kmsg.overwrite(1)
    reader = kmsg.open()

    assert lines(KernelLog(reader, last=2)) == ["[    3.000000] number 3", "[    4.000000] number 4"]
    os.close(reader)


def test_an_overwritten_place_is_read_over(kmsg: Kmsg, monkeypatch: pytest.MonkeyPatch) -> None:
    """EPIPE once, as the kernel answers then: only its real device does that by itself."""
    real, broken = os.read, [OSError(errno.EPIPE, "overwritten")]
    kmsg.say(3, 1, "after the gap")
    reader = kmsg.open()

    def read(descriptor: int, size: int) -> bytes:
        if broken:
            raise broken.pop()
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", read)

    assert lines(KernelLog(reader))[-1] == "[    0.000001] after the gap"
    assert broken == []
    os.close(reader)


def test_where_there_is_no_device_there_is_no_log() -> None:
    assert kernellog.open_device("/no/such/kmsg") == -1
