"""On which terminals an installation medium has a shell."""

from pathlib import Path

import pytest

from init import shell


@pytest.mark.parametrize(
    ("active", "terminals"),
    [("tty0 ttyS0\n", ("tty1", "ttyS0")), ("ttyS0\n", ("ttyS0",)), ("", ())],
)
def test_a_shell_is_wherever_the_console_is(tmp_path: Path, active: str, terminals: tuple[str, ...]) -> None:
    path = tmp_path / shell.ACTIVE.strip("/")
    path.parent.mkdir(parents=True)
    path.write_text(active)

    assert shell.terminals(str(tmp_path)) == terminals


def test_without_consoles_there_is_none(tmp_path: Path) -> None:
    assert shell.terminals(str(tmp_path)) == ()


@pytest.mark.parametrize(("text", "version"), [('{"version": "1.2"}', "1.2"), ("{", ""), ("{}", "")])
def test_the_version_is_the_image_s(tmp_path: Path, text: str, version: str) -> None:
    path = tmp_path / "usr/lib/hepto/image.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert shell.version(str(tmp_path)) == version
