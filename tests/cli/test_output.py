"""Tables are plain columns that fit the terminal."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.cli.output import columns


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([("A", "B"), ("long", "x"), ("s", "")]) == ["A     B", "long  x", "s"]


def test_the_widest_column_is_wrapped_to_the_width() -> None:
    lines = columns([("name", "one two three four five six seven eight", "x")], 33)

    assert lines == ["name  one two three four five   x", "      six seven eight"]


def test_what_cannot_be_made_to_fit_is_shown_whole() -> None:
    assert "".join(line.replace(" ", "") for line in columns([("a" * 20, "b" * 20)], 5)).count("a") == 20


def test_white_space_at_the_beginning_stays() -> None:
    assert columns([("a", "1"), ("  b", "2")], 80) == ["a    1", "  b  2"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("ab c"), st.text("ab c"), st.text("ab c")), min_size=1), st.integers(30, 90))
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(rows: list[tuple[str, ...]], width: int) -> None:
    lines = columns(rows, width)

    assert max(map(len, lines)) <= width
    assert sorted("".join("".join(row) for row in rows).replace(" ", "")) == sorted("".join(lines).replace(" ", ""))


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == []
