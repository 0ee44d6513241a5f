import importlib.util
import io

import pytest

from hepto.cli.progress import Progress, Step


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_say_what_begins_and_how_long_it_took() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock=clock, environment={})

    with progress.step("Install packages"):
        progress.detail("too early for a log")
        clock.now = 1.5

    assert stream.getvalue().splitlines() == ["Install packages ...", "done Install packages (1.5 s)"]
    assert progress.steps == [Step("Install packages", 1.5)]


def test_a_log_hears_of_a_long_step_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock=clock, environment={})

    with progress.step("Compile"):
        for second in range(65):
            clock.now = float(second)
            progress.detail(f"package {second}")

    assert [line for line in stream.getvalue().splitlines() if "package" in line] == [
        "Compile ... package 30",
        "Compile ... package 60",
    ]


def test_a_failed_step_is_shown_and_not_counted() -> None:
    stream = io.StringIO()
    progress = Progress(stream, environment={})

    with pytest.raises(KeyboardInterrupt), progress.step("Compile"):
        raise KeyboardInterrupt

    assert "failed Compile" in stream.getvalue()
    assert progress.steps == []


def test_a_terminal_gets_a_spinner_and_colours_where_rich_is_installed() -> None:
    stream = Terminal()
    progress = Progress(stream, environment={"TERM": "xterm"})

    with progress.step("Compile"):
        progress.detail("[half]")

    # On a node, where this test runs too, it is not.
    has_rich = importlib.util.find_spec("rich") is not None
    assert ("\x1b[32m✓" in stream.getvalue(), "done Compile" in stream.getvalue()) == (has_rich, not has_rich)


@pytest.mark.parametrize("environment", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_colours_where_they_are_not_wanted(environment: dict[str, str]) -> None:
    stream = Terminal()
    progress = Progress(stream, environment=environment)

    with progress.step("Compile"):
        pass

    assert "\x1b[32m" not in stream.getvalue()
    assert "done Compile" in stream.getvalue()
