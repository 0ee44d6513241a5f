"""The mounts as a table: what no kernel is needed to see. Real ones are in tests/kernel/test_mounts.py."""

from pathlib import Path

from init import linux, modules, mounts
from init.contract.paths import KUBELET_SYSCTLS
from init.mounts import CONTAINER, OPERATIONS, Directory, Guard, Link, Mount, Propagate, Write, perform


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


def test_a_container_mounts_nothing_that_is_the_whole_machine_s_and_writes_nothing_to_the_kernel() -> None:
    kinds = {item.kind for item in CONTAINER if isinstance(item, Mount)}

    assert "devtmpfs" not in kinds
    assert not [item for item in CONTAINER if isinstance(item, Write)]
    assert {item.target for item in CONTAINER if isinstance(item, Mount)} == {
        item.target for item in OPERATIONS if isinstance(item, Mount)
    } - {"/dev", "/run"}


def test_the_host_s_variables_are_read_only_but_for_the_network_s_and_a_kubelet_s() -> None:
    guards = [item for item in CONTAINER if isinstance(item, Guard)]

    assert guards[0] == Guard("/proc/sys")
    assert {item.path for item in guards if item.writable} == {
        "/proc/sys/net",
        *(f"/proc/sys/{name}" for name in KUBELET_SYSCTLS),
    }
    assert CONTAINER.index(guards[-1]) < CONTAINER.index(Propagate("/", linux.MS_SHARED | linux.MS_REC))
