from pathlib import Path

import pytest

from hepto.edge.apt import Origin
from hepto.edge.command import CommandFailedError
from hepto.edge.debian import Mkosi
from hepto.errors import ExitCode, UserError
from image.mkosi import Builder, explained

LOG = Path("/cache/logs/mkosi-tree.log")


@pytest.mark.parametrize(
    ("output", "what", "code"),
    [
        ("‣ Installing\nE: Unable to locate package crum\n‣ apt-get returned 100", "no package crum", ExitCode.FAILED),
        ("W: x\nE: Failed to fetch http://m/InRelease  Could not resolve 'm'", "could not reach", ExitCode.UNREACHABLE),
        ("cp: No space left on device\n‣ cp failed", "no space left", ExitCode.FAILED),
        ("‣ newuidmap not found", "may not make a user namespace", ExitCode.FAILED),
        ("noise\n‣ the real reason\n", "mkosi failed: the real reason", ExitCode.FAILED),
    ],
)
def test_mkosis_failures_are_explained(output: str, what: str, code: ExitCode) -> None:
    error = explained(CommandFailedError(["mkosi"], 1, output), LOG)

    assert what in error.what
    assert error.code is code
    assert "\n" not in error.what + error.hint


def test_a_cache_that_mkosi_cannot_work_in_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="white space in its name: .*my cache") as caught:
        Builder(tmp_path / "my cache", Mkosi(("mkosi",), {}, "25.3"), origin=Origin("", ""))

    assert caught.value.code is ExitCode.USAGE


def test_packages_of_a_folder_and_of_mirrors_have_their_own_places_and_keys(tmp_path: Path) -> None:
    mkosi = Mkosi(("mkosi",), {}, "25.3")
    mirrors, folder = (
        Builder(tmp_path, mkosi, origin=origin)
        for origin in (Origin("Types: deb\n", "mirrors"), Origin("Types: deb\n", "lock", tmp_path / "folder"))
    )

    assert mirrors.package_cache != folder.package_cache
    assert mirrors.tools_key() != folder.tools_key()
    assert mirrors.tree_key() != folder.tree_key()
