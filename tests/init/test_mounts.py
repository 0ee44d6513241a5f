"""The mounts as a table: what no kernel is needed to see. Real ones are in tests/kernel/test_mounts.py."""

from pathlib import Path

from init import linux, modules, mounts
from init.mounts import OPERATIONS, Directory, Link, Mount, Propagate, Write, perform


def place(kind: str) -> int:
    """Where the mount of that kind of file system is in the order."""
    return next(number for number, item in enumerate(OPERATIONS) if isinstance(item, Mount) and item.kind == kind)


def test_the_root_is_shared_before_anything_is_mounted_on_it_but_proc() -> None:
    assert OPERATIONS[:2] == (
        Mount("proc", "/proc", mounts.NO_PROGRAMS),
        Propagate("/", linux.MS_SHARED | linux.MS_REC),
    )


def test_what_lies_on_another_mount_comes_after_it() -> None:
    targets = [item.target for item in OPERATIONS if isinstance(item, Mount)]

    for number, target in enumerate(targets):
        assert not [later for later in targets[number + 1 :] if target.startswith(f"{later}/")]


def test_no_module_is_loaded_by_mounting_bpf_and_loading_works_afterwards() -> None:
    at = place("bpf")

    assert OPERATIONS[at - 1] == Write("", "/proc/sys/kernel/modprobe")
    assert OPERATIONS[at + 1] == Write(modules.MODPROBE, "/proc/sys/kernel/modprobe")


def test_nothing_is_mounted_with_set_user_id_programs() -> None:
    assert all(item.flags & linux.MS_NOSUID for item in OPERATIONS if isinstance(item, Mount))


def test_links_and_directories_are_made_once_and_left_alone(tmp_path: Path) -> None:
    operations = (Directory("/a", 0o700), Link("/proc/self/fd", "/fd"), Directory("/a", 0o700))

    assert perform(operations, str(tmp_path)) == perform(operations, str(tmp_path)) == []
    assert (tmp_path / "fd").readlink() == Path("/proc/self/fd")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_line_is_written_as_a_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")

    assert perform((Write("", "/x"),), str(tmp_path)) == []
    assert (tmp_path / "x").read_text() == "\n"


def test_each_failure_is_one_sentence_and_stops_nothing(tmp_path: Path) -> None:
    failures = perform((Directory("/no/where", 0o700), Directory("/a", 0o700)), str(tmp_path))

    assert failures == ["directory /no/where 448: No such file or directory"]
    assert (tmp_path / "a").is_dir()
