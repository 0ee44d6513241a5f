"""Every command is found through the table, imports only what is its own, and fails in two lines."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepto.cli.main import COMMANDS, Row, command_group, main
from hepto.errors import ExitCode
from hepto.options import AVAILABLE

PYTHON = [sys.executable, "-I", "-c"]
# The same modules as here, wherever they are installed.
SAME_PATH = f"import sys; sys.path[:] = {sys.path!r}\n"


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    code = main(words)
    output = capsys.readouterr()
    return code, output.out, output.err


def test_without_anything_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = run("--help", capsys=capsys)

    assert code == ExitCode.DONE
    for name in ("info", "options", "cmdline", "key", "completion"):
        assert f"\n  {name} " in output
    assert run(capsys=capsys) == (code, output, "")


def test_a_command_whose_module_is_not_there_is_no_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "key", Row("hepto.cli.nowhere:command", "Not here."))

    assert "Not here." not in run("--help", capsys=capsys)[1]
    code, _, error = run("key", capsys=capsys)
    assert code == ExitCode.USAGE
    assert error.startswith("hepto: there is no command “key”\n")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["inof"], ["there is no command “inof”", "did you mean “hepto info”?"]),
        (["xyzzy"], ["there is no command “xyzzy”", "“hepto --help” lists the commands"]),
        (["lab", "stauts"], ["there is no command “stauts”", "did you mean “hepto lab status”?"]),
        (["lab", "fault", "linc"], ["there is no command “linc”", "did you mean “hepto lab fault link”?"]),
        (["service", "lsit"], ["there is no command “lsit”", "did you mean “hepto service list”?"]),
        (["node", "xyzzy"], ["there is no command “xyzzy”", "“hepto node --help” lists the commands"]),
        (["gossip", "rnu"], ["there is no command “rnu”", "did you mean “hepto gossip run”?"]),
        (["info", "--clutser", "a"], ["there is no option --clutser", "did you mean --cluster?"]),
        (["info", "--xyzzy"], ["there is no option --xyzzy", "“hepto info --help” lists the options"]),
        (["info", "--xy\nzzy"], ["there is no option --xy\\nzzy", "“hepto info --help” lists the options"]),
        (["info", "a"], ["Got unexpected extra argument (a)", "“hepto info --help” shows how it is used"]),
        (["info", "--debug"], ["Option '--debug' requires an argument", "“hepto info --help” shows how it is used"]),
        (["options", "--debug"], ["--debug belongs before the command", "say “hepto --debug COMMAND …”"]),
        (
            ["info", "--port", "x"],
            ["--port=x: not a number from 1 to 65535", "it takes a number from 1 to 65535, for example --port=7946"],
        ),
    ],
)
def test_wrong_use_is_two_lines_and_exit_code_2(
    words: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, error = run(*words, capsys=capsys)

    assert code == ExitCode.USAGE
    assert output == ""
    assert error == f"hepto: {lines[0]}\n       {lines[1]}\n"


def test_all_mistakes_are_shown_two_lines_each(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run("info", "--port", "x", "--dns", "1.1.1.1", capsys=capsys)

    assert code == ExitCode.USAGE
    assert [line.startswith("hepto: ") for line in error.splitlines()] == [True, False, True, False]


def test_debug_shows_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" not in run("info", "--port", "x", capsys=capsys)[2]
    assert "Traceback" in run("--debug", "info", "--port", "x", capsys=capsys)[2]


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()

    code, output, _ = run("--version", capsys=capsys)

    assert code == ExitCode.DONE
    assert f'version = "{output.splitlines()[0].removeprefix("hepto ")}"' in project


def test_one_dash_is_as_good_as_two_and_an_underscore_as_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    expected = run("cmdline", "--api-port", "7000", capsys=capsys)

    assert expected[1] == "hepto.api-port=7000\n"
    for spelling in (["-api-port", "7000"], ["--api_port=7000"], ["-api_port=7000"]):
        assert run("cmdline", *spelling, capsys=capsys) == expected


@pytest.mark.parametrize("words", [(), ("info",), ("lab",), ("lab", "fault")])
def test_help_is_asked_for_as_the_original_has_it_too(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = run(*words, "--help", capsys=capsys)

    assert expected[0] == ExitCode.DONE
    for spelling in ("-help", "-h"):
        assert run(*words, spelling, capsys=capsys) == expected


def imported_by(*words: str) -> set[str]:
    """Modules that a run of the command imports."""
    program = (
        f"{SAME_PATH}from hepto.cli import main\n"
        "main.COMMANDS['agent'] = main.Row('json.tool:main', '', is_program=True)\n"
        "import json.tool; json.tool.main = lambda words: 0\n"
        f"code = main.main({list(words)!r})\n"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)\n"
    )
    result = subprocess.run([*PYTHON, program], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_a_program_of_the_node_is_started_without_click_and_without_other_commands() -> None:
    modules = imported_by("agent")

    assert {name for name in modules if name.split(".")[0] in ("click", "rich", "asyncio")} == set()
    assert {name for name in modules if name.startswith("hepto")} == {
        *("hepto", "hepto.cli", "hepto.cli.main", "hepto.cli.failure", "hepto.errors"),
    }


def test_help_imports_no_command() -> None:
    commands = {row.module for row in COMMANDS.values()}

    assert imported_by("--help") & commands == set()


def test_a_program_of_the_node_gets_its_arguments_and_its_result_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[str]] = []

    def program(words: Sequence[str]) -> int:
        seen.append(list(words))
        return 3

    class Program(Row):
        def is_present(self) -> bool:
            return True

        def load(self) -> object:
            return program

    monkeypatch.setitem(COMMANDS, "agent", Program("x:y", "", is_program=True))

    assert main(["agent", "--x", "y"]) == 3
    assert main(["--debug", "agent", "--x", "y"]) == 3
    assert seen == [["--x", "y"]] * 2


def tree(command: click.Command) -> Iterator[click.Command]:
    """`command` and all below it."""
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from tree(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_can_be_loaded_and_has_examples(name: str) -> None:
    row = COMMANDS[name]
    target = row.load()

    if row.is_program:
        assert callable(target)
        return
    assert isinstance(target, click.Command)
    assert [found.name for found in tree(target) if "Example" not in (found.help or "") + (found.epilog or "")] == []


def test_the_group_for_completion_has_the_same_commands() -> None:
    group = command_group()

    assert group.list_commands(click.Context(group)) == [name for name, row in COMMANDS.items() if row.is_present()]


flags = st.sampled_from([option.flag for option in AVAILABLE if not option.secret])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20) | st.sampled_from(
    ["-", "--", "-x", "=", "@x", "--json"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(["info", "cmdline"]), words=st.lists(flags | texts, max_size=6))
def test_any_words_end_well_or_in_pairs_of_lines(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, error = run(command, *words, capsys=capsys)

    assert code in (ExitCode.DONE, ExitCode.USAGE)
    if code:
        assert output == ""
        assert len(error.splitlines()) % 2 == 0
        assert "error of hepto itself" not in error


def test_output_that_nobody_reads_is_no_traceback() -> None:
    program = f"{SAME_PATH}from hepto.cli.main import main; sys.exit(main(['options']))"
    with subprocess.Popen([*PYTHON, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == ExitCode.FAILED
