"""PID 1's own keys: read as the kernel reads, and no bytes can make it fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.cmdline import CommandLine, parse, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a\tb \n", ["a", "b"]),
        ('a="b c" d', ["a=b c", "d"]),
        ('"a=b c" d', ["a=b c", "d"]),
        ('a="b', ["a=b"]),
        ('""', [""]),
    ],
)
def test_words_are_split_as_the_kernel_does(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_its_own_keys_are_taken_and_no_others() -> None:
    line = b'quiet hepto.cluster=demo hepto.debug=lab,console hepto.data-disk=XYZ init.log="a b" -- root=/dev/vda\n'

    assert parse(line) == CommandLine(frozenset({"lab", "console"}), "XYZ", {"log": "a b"})


def test_underscore_and_hyphen_are_the_same_in_names_but_not_in_values() -> None:
    assert parse(b"hepto.data_disk=A_B-C").data_disk == "A_B-C"


def test_the_last_one_given_wins() -> None:
    assert parse(b"hepto.data-disk=a hepto.data-disk=memory").data_disk == "memory"


def test_nothing_given_is_nothing_wanted() -> None:
    assert parse(b"console=ttyS0 hepto.debug hepto.debug=,") == CommandLine()


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    parse(b"hepto.data-disk=" + data)


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters='"\0'), min_size=1)))
def test_quoted_words_survive(items: list[str]) -> None:
    assert words(" ".join(f'"{item}"' for item in items)) == items
