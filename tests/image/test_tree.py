from pathlib import Path

from image.spec import CODE_DROP, DIRECTORIES, LINKS, PACKAGES_FOLDER, PID1_FOLDER
from image.tree import clone, install_code, make_links, package_of, place
from init.contract import paths

REPOSITORY = Path(__file__).parents[2]


def test_code_lies_where_the_programs_look_for_it(tmp_path: Path) -> None:
    install_code(REPOSITORY, tmp_path)

    assert (tmp_path / PACKAGES_FOLDER / "hepto/errors.py").is_file()
    assert (tmp_path / PID1_FOLDER / "__main__.py").read_bytes() == (REPOSITORY / "init/__main__.py").read_bytes()
    assert (tmp_path / PID1_FOLDER / "init/contract/service.py").is_file()
    assert (tmp_path / "usr/bin/hepto").stat().st_mode & 0o111 == 0o111


def test_what_only_the_build_host_runs_stays_there(tmp_path: Path) -> None:
    install_code(REPOSITORY, tmp_path)

    assert not list((tmp_path / PACKAGES_FOLDER).glob("hepto/lab/*"))
    assert not (tmp_path / PACKAGES_FOLDER / "hepto/edge/debian.py").exists()
    assert "hepto/cli/build.py" in CODE_DROP


def test_every_dropped_file_of_ours_exists() -> None:
    present = [str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "hepto").rglob("*.py")]

    for glob in CODE_DROP:
        assert any(Path(path).match(glob) for path in present) or "__pycache__" in glob, glob


def test_installing_never_writes_through_a_hard_link(tmp_path: Path) -> None:
    cached = tmp_path / "cached"
    cached.write_text("old")
    target = tmp_path / "root" / PACKAGES_FOLDER / "hepto/errors.py"
    place(cached, target)

    install_code(REPOSITORY, tmp_path / "root")

    assert cached.read_text() == "old"
    assert "UserError" in target.read_text()


def test_links_and_mount_points_are_made_and_no_command_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/mount").touch()
    (tmp_path / "usr/bin/cat").write_text("a real one")

    make_links(tmp_path)

    assert all((tmp_path / path).is_dir() for path in DIRECTORIES)
    assert all((tmp_path / path).readlink() == Path(target) for path, target in LINKS.items())
    assert (tmp_path / "usr/bin/sh").readlink() == Path("busybox")
    assert (tmp_path / "usr/bin/cat").read_text() == "a real one"


def test_a_clone_shares_files_and_copies_links(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder/file").write_text("x")
    (source / "link").symlink_to("/run/elsewhere")

    clone(source, tmp_path / "clone")

    assert (tmp_path / "clone/folder/file").samefile(source / "folder/file")
    assert (tmp_path / "clone/link").readlink() == Path("/run/elsewhere")


def test_every_file_belongs_to_somebody() -> None:
    kept = {"usr/lib/python3.13/abc.py": "libpython3.13-minimal"}

    assert package_of("usr/lib/python3.13/__pycache__/abc.cpython-313.pyc", kept) == "libpython3.13-minimal"
    assert package_of("usr/lib/cni/ptp", kept) == "stack"
    assert package_of("usr/bin/hepto", kept) == "hepto"


def test_a_program_that_gives_rights_loses_them_and_the_cached_one_keeps_them(tmp_path: Path) -> None:
    cached = tmp_path / "mount"
    cached.write_text("x")
    cached.chmod(0o4755)

    place(cached, tmp_path / "root/mount")

    assert (tmp_path / "root/mount").stat().st_mode & 0o7777 == 0o755
    assert cached.stat().st_mode & 0o7777 == 0o4755


def test_every_place_that_pid_1_makes_writable_is_there_to_mount_on() -> None:
    assert [place for _, place in paths.WRITABLE if place.removeprefix("/") not in DIRECTORIES] == []
