import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from init.contract import durable


def test_a_write_replaces_the_whole_file_with_the_mode_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old and longer")

    durable.write(str(path), b"new", 0o640)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["state"]


def test_secrets_are_private_by_default(tmp_path: Path) -> None:
    durable.write(str(tmp_path / "key"), b"k")

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()  # rename of a file over a directory fails
    (tmp_path / "state" / "x").touch()

    with pytest.raises(OSError):
        durable.write(str(tmp_path / "state"), b"new")

    assert os.listdir(tmp_path) == ["state"]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / f".state.{os.getpid()}.tmp").symlink_to(victim)

    with pytest.raises(OSError):
        durable.write(str(tmp_path / "state"), b"new")

    assert victim.read_bytes() == b"untouched"


def test_an_equal_file_is_not_written_again(tmp_path: Path) -> None:
    path = str(tmp_path / "state")

    assert durable.write_if_changed(path, b"one")
    before = os.stat(path).st_ino
    assert not durable.write_if_changed(path, b"one")
    assert os.stat(path).st_ino == before
    assert durable.write_if_changed(path, b"on")
    assert durable.write_if_changed(path, b"on", 0o644)


def test_removing_says_whether_there_was_anything(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    assert durable.remove(str(tmp_path / "state"))
    assert not durable.remove(str(tmp_path / "state"))


class Disk:
    """The calls that reach the disk, in their order; `refuse` makes one of them fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.refuse = ""
        for name in ("fsync", "rename", "mkdir", "unlink"):
            patch.setattr(os, name, self._recorded(name, getattr(os, name)))

    def _recorded(self, name: str, call: Callable[..., None]) -> Callable[..., None]:
        def recorded(first: int | str, *more: str) -> None:
            place = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else first
            said = f"{name} {os.path.basename(place)}"
            self.calls.append(said)
            if said == self.refuse:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            call(first, *more)

        return recorded


@pytest.fixture
def disk() -> Iterator[Disk]:
    with pytest.MonkeyPatch.context() as patch:
        yield Disk(patch)


def temporary(name: str) -> str:
    return f".{name}.{os.getpid()}.tmp"


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_return(
    tmp_path: Path, disk: Disk
) -> None:
    durable.write(str(tmp_path / "state"), b"new")

    assert disk.calls == [f"fsync {temporary('state')}", f"rename {temporary('state')}", f"fsync {tmp_path.name}"]


def test_without_sync_the_disk_is_not_waited_for(tmp_path: Path, disk: Disk) -> None:
    durable.write(str(tmp_path / "state"), b"new", sync=False)
    durable.make_directory(str(tmp_path / "a"), sync=False)
    durable.remove(str(tmp_path / "state"), sync=False)

    assert not [call for call in disk.calls if call.startswith("fsync")]


def test_an_equal_file_whose_name_may_not_be_on_the_disk_is_made_durable(tmp_path: Path, disk: Disk) -> None:
    path = str(tmp_path / "state")
    disk.refuse = f"fsync {tmp_path.name}"
    with pytest.raises(OSError, match="state|Input/output"):
        durable.write_if_changed(path, b"new")
    disk.refuse = ""
    disk.calls.clear()

    assert not durable.write_if_changed(path, b"new")
    assert disk.calls == [f"fsync {tmp_path.name}"]
    assert not durable.write_if_changed(path, b"new")
    assert disk.calls == [f"fsync {tmp_path.name}"]  # known now


def test_an_equal_file_of_an_earlier_process_is_made_durable(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "state").write_bytes(b"new")
    (tmp_path / "state").chmod(0o600)

    durable.write_if_changed(str(tmp_path / "state"), b"new")

    assert disk.calls == [f"fsync {tmp_path.name}"]


@pytest.mark.parametrize("step", ["fsync {temporary}", "rename {temporary}", "fsync {directory}"])
def test_an_error_names_the_file_and_not_the_step(tmp_path: Path, disk: Disk, step: str) -> None:
    disk.refuse = step.format(temporary=temporary("state"), directory=tmp_path.name)

    with pytest.raises(OSError) as caught:
        durable.write(str(tmp_path / "state"), b"new")

    assert caught.value.errno == errno.EIO
    assert caught.value.filename in (str(tmp_path / "state"), str(tmp_path))
    assert caught.value.filename2 is None
    assert temporary("state") not in os.listdir(tmp_path)


def test_a_directory_and_those_above_it_are_made_durably(tmp_path: Path, disk: Disk) -> None:
    durable.make_directory(str(tmp_path / "a/b"), 0o750)

    assert disk.calls == ["mkdir a", f"fsync {tmp_path.name}", "mkdir b", "fsync a"]
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o750


def test_a_directory_that_is_there_is_left_alone_or_gets_exactly_the_mode(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    disk.calls.clear()

    durable.make_directory(str(tmp_path / "a"), 0o700)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    durable.make_directory(str(tmp_path / "a"), 0o700, exact=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    changed = (tmp_path / "a").stat().st_ctime_ns
    durable.make_directory(str(tmp_path / "a"), 0o700, exact=True)

    assert (tmp_path / "a").stat().st_ctime_ns == changed
    assert disk.calls == []


def test_a_file_in_the_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(FileExistsError):
        durable.make_directory(str(tmp_path / "a"))


def test_a_link_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("old")
    (tmp_path / temporary("link")).touch()  # left by a crash

    durable.symlink("/new", str(tmp_path / "link"))

    assert os.readlink(tmp_path / "link") == "/new"
    assert os.listdir(tmp_path) == ["link"]


def test_what_a_power_cut_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".state.77.tmp", ".state", "state.tmp", "state"):
        (tmp_path / name).touch()

    durable.sweep(str(tmp_path))
    durable.sweep(str(tmp_path / "none"))

    assert sorted(os.listdir(tmp_path)) == [".state", "state", "state.tmp"]
