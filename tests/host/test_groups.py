"""The groups of a node, on a made-up file system of control groups; the real one is met in tests/image and tests/vm."""

import os
from pathlib import Path

from hepto.host.groups import CONTROLLERS, Groups, base, scope


def test_in_a_scope_the_group_is_that_of_the_process(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/system.slice/hepto-n1.scope\n")

    assert base("n1", scoped=True, root=Path("/cg"), own=own) == Path("/cg/system.slice/hepto-n1.scope")
    assert base("n1", scoped=False, root=Path("/cg"), own=own) == Path("/cg/hepto-n1")


def test_a_scope_is_delegated_and_named_after_the_node() -> None:
    words = scope("n1")

    assert words[0] == "systemd-run"
    assert {"--scope", "--collect", "--property=Delegate=yes", "--unit=hepto-n1"} <= set(words)
    assert words[-1] == "--"


def test_the_keeper_goes_aside_and_controllers_are_handed_down(tmp_path: Path) -> None:
    groups = Groups(tmp_path / "hepto-n1")

    groups.prepare()

    assert groups.node.is_dir()
    assert (groups.keeper / "cgroup.procs").read_text() == str(os.getpid())
    # Each write is an order to the kernel, so a file remembers the last.
    assert (groups.base / "cgroup.subtree_control").read_text() == f"+{CONTROLLERS[-1]}"
    assert not (groups.node / "cgroup.subtree_control").exists()
