from pathlib import Path

import pytest

from hepto.edge.cache import TEMPORARY, cache_directory, ensure, key_of, remove_tree, scratch
from hepto.errors import ExitCode, UserError


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HEPTO_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/h"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/h"}, "/b/hepto"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/hepto"),
        ({"HOME": "/h"}, "/h/.cache/hepto"),
    ],
)
def test_cache_directory_follows_xdg_and_the_override(environment: dict[str, str], expected: str) -> None:
    assert cache_directory(environment) == Path(expected)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_override_that_is_no_directory_is_two_lines(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="HEPTO_CACHE=.*file is no directory") as caught:
        cache_directory({"HEPTO_CACHE": str(tmp_path / name)})

    assert caught.value.code is ExitCode.USAGE
    assert cache_directory({"HEPTO_CACHE": str(tmp_path / "new/one")}) == tmp_path / "new/one"


def test_keys_differ_when_inputs_only_run_together() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("a") == key_of(b"a")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    calls = []

    def make(directory: Path) -> None:
        calls.append(directory)
        (directory / "file").write_text("x")

    first = ensure(tmp_path / "kind", "key", make)
    second = ensure(tmp_path / "kind", "key", make)

    assert first == second == tmp_path / "kind/key"
    assert (first / "file").read_text() == "x"
    assert len(calls) == 1


def test_an_interrupted_making_leaves_nothing_that_counts_as_done(tmp_path: Path) -> None:
    def interrupted(directory: Path) -> None:
        (directory / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(tmp_path / "kind", "key", interrupted)

    assert [path.name for path in (tmp_path / "kind").iterdir()] == [".lock"]


def test_what_a_killed_maker_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "kind" / (TEMPORARY + "other")
    left.mkdir(parents=True)
    (left / "half").write_text("x")

    ensure(tmp_path / "kind", "key", lambda directory: (directory / "whole").touch())

    assert not left.exists()


def test_only_the_newest_entries_are_kept(tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        ensure(tmp_path / "kind", key, lambda directory: (directory / "file").touch(), keep=2)

    assert len([path for path in (tmp_path / "kind").iterdir() if path.is_dir()]) == 2
    assert (tmp_path / "kind/c").is_dir()


def test_unwritable_directories_can_be_removed(tmp_path: Path) -> None:
    inner = tmp_path / "tree/inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0o500)

    remove_tree(tmp_path / "tree")

    assert not (tmp_path / "tree").exists()


def test_a_scratch_directory_is_gone_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    def interrupted() -> None:
        with scratch(tmp_path, "work") as directory:
            (directory / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert list(tmp_path.iterdir()) == []


def test_scratch_directories_of_dead_processes_are_removed_and_of_living_ones_not(tmp_path: Path) -> None:
    dead, living = tmp_path / ".work-4194305", tmp_path / ".work-1"  # above the largest pid; PID 1
    dead.mkdir()
    living.mkdir()

    with scratch(tmp_path, "work"):
        assert not dead.exists()
        assert living.exists()


def test_what_was_renamed_out_of_a_scratch_directory_stays(tmp_path: Path) -> None:
    with scratch(tmp_path, "work") as directory:
        directory.rename(tmp_path / "result")

    assert (tmp_path / "result").is_dir()
