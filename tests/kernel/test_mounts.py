"""Real mounts: what PID 1 mounts, and the writable places of a read-only root."""

import os
import stat
from pathlib import Path

import pytest

from init import binds, linux
from init.contract import paths
from init.mounts import OPERATIONS, Link, Mount, Propagate, Write, perform
from tests.kernel.namespace import alone, mounts

pytestmark = pytest.mark.kernel


def prepare(root: str) -> None:
    """A root file system of the image's shape: mount points and nothing else."""
    linux.mount(root, root, flags=linux.MS_BIND)
    for directory in ("proc", "sys", "dev", "run", "tmp"):
        (Path(root) / directory).mkdir()


def mount_all_twice(root: str) -> None:
    prepare(root)
    # The kernel has one devtmpfs and one set of sysctls for all: a test must not change the machine's own.
    operations = tuple(
        Mount("tmpfs", "/dev") if item[1] == "/dev" and isinstance(item, Mount) else item
        for item in OPERATIONS
        if not isinstance(item, Write)
    )

    assert perform(operations, root) == []
    first = mounts(root)
    assert perform(operations, root) == []

    assert mounts(root) == first
    wanted = [root + item.target for item in OPERATIONS if isinstance(item, Mount)]
    assert [place for place, _, _ in first] == [root, *wanted]
    assert all(group for _, _, group in first), "everything is shared"
    for item in OPERATIONS:
        if isinstance(item, Link):
            assert os.readlink(root + item.path) == item.target
    assert stat.S_IMODE(os.stat(f"{root}/tmp").st_mode) == 0o1777
    assert stat.S_IMODE(os.stat(f"{root}{paths.CREDENTIALS}").st_mode) == 0o700


def test_all_is_mounted_once_and_shared(tmp_path: Path) -> None:
    alone(mount_all_twice, tmp_path)


def mount_with_a_gap(root: str) -> None:
    prepare(root)
    (Path(root) / "run").rmdir()
    Path(root, "run").write_text("in the way")

    failures = perform((Mount("tmpfs", "/run"), Mount("tmpfs", "/tmp"), Propagate("/nowhere", linux.MS_SHARED)), root)

    assert len(failures) == 2
    assert failures[0].startswith("mount tmpfs /run: ")
    assert mounts(f"{root}/tmp")


def test_one_that_fails_is_named_and_costs_no_other(tmp_path: Path) -> None:
    alone(mount_with_a_gap, tmp_path)


NODE = f"{paths.DATA}/demo/one"


def root_with_data(root: str) -> None:
    linux.mount("tmpfs", root, "tmpfs")
    linux.mount("none", root, flags=linux.MS_SHARED)
    for directory in (paths.RUN, paths.DATA, *(fixed for _, fixed in paths.WRITABLE)):
        os.makedirs(root + directory, exist_ok=True)


def bind_twice(root: str) -> None:
    root_with_data(root)

    binds.bind(NODE, root)
    first = mounts(root)
    binds.bind(NODE, root)

    assert mounts(root) == first
    assert [place for place, _, _ in first[1:]] == [root + fixed for _, fixed in paths.WRITABLE]
    groups = [group for _, _, group in first]
    assert all(groups)
    assert len(set(groups)) == len(groups), "each has a peer group of its own"
    for below, fixed in paths.WRITABLE:
        Path(root + fixed, "file").write_text("x")
        assert Path(f"{root}{NODE}/{below}/file").read_text() == "x"
    assert stat.S_IMODE(os.stat(root + NODE).st_mode) == 0o700
    assert os.readlink(f"{root}{paths.NODE}") == NODE


def test_the_writable_places_lie_in_the_nodes_directory(tmp_path: Path) -> None:
    alone(bind_twice, tmp_path)


def mount_a_volume(root: str) -> None:
    root_with_data(root)
    binds.bind(NODE, root)
    volume = Path(root, "var/lib/kubelet/pods")
    volume.mkdir()

    linux.mount("tmpfs", str(volume), "tmpfs")

    assert [place for place, _, _ in mounts(root) if place.endswith("/pods")] == [str(volume)]


def test_a_volume_that_kubelet_mounts_does_not_appear_twice(tmp_path: Path) -> None:
    alone(mount_a_volume, tmp_path)


def bind_elsewhere(root: str) -> None:
    root_with_data(root)
    binds.bind(NODE, root)
    before = mounts(root)

    for bad in (f"{paths.DATA}/demo/two", "relative", "/", f"{paths.DATA}/../x"):
        with pytest.raises(ValueError, match="needs a reboot|plain absolute"):
            binds.bind(bad, root)

    assert mounts(root) == before
    assert not os.path.exists(f"{root}{paths.DATA}/demo/two")


def test_a_second_directory_is_refused(tmp_path: Path) -> None:
    alone(bind_elsewhere, tmp_path)


def bind_without_a_place(root: str) -> None:
    root_with_data(root)
    os.rmdir(f"{root}/etc/kubernetes")

    with pytest.raises(FileNotFoundError, match="/etc/kubernetes"):
        binds.bind(NODE, root)

    assert not os.path.lexists(f"{root}{paths.NODE}"), "the logger must not be told before all is in place"


def test_a_root_without_one_of_the_places_is_named(tmp_path: Path) -> None:
    alone(bind_without_a_place, tmp_path)
