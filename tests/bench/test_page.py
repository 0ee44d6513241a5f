import math

from bench import page
from bench.page import Section
from bench.report import Result, Row, Target, verdict

ROWS = (
    *(Row("hepto", "restart", value, "ms") for value in (20.0, 30.0, 10.0)),
    Row("systemd", "restart", 100.0, "ms"),
    Row("hepto", "deaths", 0.0, ""),
    Row("serf", "noticed", math.inf, "s"),
)
TARGETS = (Target("restart", "hepto", "systemd", 0.25), Target("restart", "hepto", 10.0, 1.0))
VERDICTS = tuple(verdict(ROWS, target) for target in TARGETS)
RESULT = Result(ROWS, VERDICTS, "2026-01-31", "abc123", 2, 4.5)


def test_the_table_has_a_line_for_each_figure_and_variant() -> None:
    lines = page.table(ROWS)

    assert lines[2:] == [
        "| restart | hepto | 20 ms | 10 ms | 30 ms | 3 |",
        "| restart | systemd | 100 ms |  |  | 1 |",
        "| deaths | hepto | 0 |  |  | 1 |",
        "| noticed | serf | never |  |  | 1 |",
    ]
    assert {line.count("|") for line in lines} == {7}


def test_the_lines_of_a_figure_are_together_whatever_the_order_of_the_rows() -> None:
    rows = [Row(variant, what, 1.0, "") for variant in ("etcd", "kubelet") for what in ("kills", "lines lost")]

    assert [line.split(" | ")[:2] for line in page.table(rows)[2:]] == [
        ["| kills", "etcd"],
        ["| kills", "kubelet"],
        ["| lines lost", "etcd"],
        ["| lines lost", "kubelet"],
    ]


def test_what_is_missed_is_printed_as_missed() -> None:
    written = page.page([Section("supervision", "P2: how soon.\n\nMore.", RESULT)])

    assert "## P2: how soon\n" in written
    assert "- restart: hepto / systemd = 0.20 (target <= 0.25): reached\n" in written
    assert "- restart: hepto / 10 = 2.00 (target <= 1.00): **missed**\n" in written
    assert "`make bench-supervision`, 2026-01-31, commit abc123: 2 processors, load 4.5 at the end." in written


def test_what_was_not_run_is_named_and_has_no_figures() -> None:
    written = page.page(
        [Section("boot", "P1: a\nlong title.\n\nMore.", None), Section("size", "P12: x.", RESULT, True)]
    )

    assert "## P1: a long title\n\nNot measured. `make bench-boot` does.\n" in written
    assert "![P12: x](benchmarks/size.svg)" in written
    assert written.count("![") == 1


def test_a_table_of_thousands_of_lines_is_left_out() -> None:
    rows = tuple(Row(f"cut {number}", "disks", 1.0, "") for number in range(1000))
    written = page.page([Section("powercut", "R6: x.", Result(rows, ("disks: 1000 of 1000",), "", "", 2, 0.1))])

    assert "- disks: 1000 of 1000\n\n1000 rows, too many for a table.\n" in written


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    assert page.table([Row("a|b", "x", 1.0, "s")])[2] == "| x | a\\|b | 1 s |  |  | 1 |"
