import pytest

from hepto import durations
from hepto.values import BadValue


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("12s", 12.0), ("1.5m", 90.0), ("2h", 7200.0), ("2d", 172800.0)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5M", "1h30m", "٣s", "9999h"])
def test_anything_else_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(BadValue, match="is no time such as|is longer than 1000h"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["0s", "1ms", "90s", "5m", "3h", "48h", "0.5ms"])
def test_what_is_written_is_read_again(text: str) -> None:
    assert durations.write(durations.parse(text)) == text
