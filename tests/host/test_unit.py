"""A unit of systemd starts the node with the same words, whatever is in them."""

from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.host import unit

HERE = Path("/root")


def start_line(*words: str) -> str:
    text = unit.text("n1", ("/usr/bin/hepto",), words, HERE)
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    return line.removeprefix("ExecStart=")


def test_words_are_kept_and_files_are_named_from_the_root() -> None:
    found = start_line("-name", "n1", "--key", "@demo.key", "--identity=@/etc/id", "--systemd-unit", "--detach")

    assert found == "/usr/bin/hepto start -name n1 --key @/root/demo.key --identity=@/etc/id"


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("50%", '"50%%"'),
        ("$HOME", '"$$HOME"'),
        ('a"b', '"a\\"b"'),
        ("", '""'),
    ],
)
def test_a_word_means_itself_to_systemd(word: str, quoted: str) -> None:
    assert unit.quote(word) == quoted


def test_a_unit_has_no_standard_input() -> None:
    with pytest.raises(UserError, match="standard input"):
        unit.text("n1", ("/usr/bin/hepto",), ("--key", "-"), HERE)


def test_it_ends_the_command_first_and_waits_as_long_as_a_node_may_take() -> None:
    text = unit.text("n1", ("/usr/bin/hepto",), (), HERE)

    assert "WorkingDirectory=/root\n" in text
    assert "KillMode=mixed" in text
    assert f"TimeoutStopSec={unit.STOP_SECONDS}" in text
    assert "WantedBy=multi-user.target" in text
