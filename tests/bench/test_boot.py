import re
from pathlib import Path

from bench import boot, roots


def test_every_root_has_a_line_that_ends_its_boot() -> None:
    assert set(roots.MAKERS) == set(boot.MILESTONE)


def test_the_milestone_is_read_with_its_times() -> None:
    ours = re.search(boot.MILESTONE["hepto"], "up=8.323 idle=1.20 ready: node one of cluster bench, eth0 2001:db8::1")
    # systemd resets the terminal on the same line.
    theirs = re.search(boot.MILESTONE["systemd"], "\x1b[!p\x1b[?7hmilestone up=7.471 idle=2.29\n")

    assert ours is not None
    assert ours.groups() == ("8.323", "1.20")
    assert theirs is not None
    assert theirs.groups() == ("7.471", "2.29")


def test_a_line_before_the_milestone_is_not_taken_for_it() -> None:
    assert re.search(boot.MILESTONE["hepto"], "up=7.112 idle=0.24 waiting for address eth0, 0 s") is None


def test_scripts_are_executable_and_replace_links_instead_of_following_them(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/rcS").symlink_to(outside)

    roots.put(tmp_path / "root", roots.BUSYBOX)

    assert outside.read_text() == "kept"
    assert (tmp_path / "root/etc/rcS").stat().st_mode & 0o111
    assert not (tmp_path / "root/etc/inittab").stat().st_mode & 0o111
