import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hepto.edge.apt import AptRoot
from hepto.edge.debian import Mkosi
from hepto.errors import ExitCode, UserError
from image import locked
from image.locked import Locked, Taken, cached_name, index_of, keep, opened, release_of, write_lock
from image.spec import BINARIES

CONTROL = (
    "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: x\n"
)
STATUS = """\
Package: one
Status: install ok installed
Architecture: all
Version: 1:2.0+b1

Package: two
Status: deinstall ok config-files
Architecture: all
Version: 3

Package: hepto-own
Status: install ok installed
Architecture: all
Version: 1
"""


def make_package(directory: Path, name: str, version: str, file: str) -> Path:
    """A Debian package with nothing but its control file."""
    source = directory / f"source-{name}"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
    target = directory / file
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", source, target], check=True, stdout=subprocess.DEVNULL)
    return target


@pytest.fixture
def taken(tmp_path: Path) -> Taken:
    """What a build took: a package from apt's cache and a stack."""
    tree = tmp_path / "entry/tree"
    (tree / "var/lib/dpkg").mkdir(parents=True)
    (tree / "var/lib/dpkg/status").write_text(STATUS)
    (tmp_path / "cached").mkdir()
    make_package(tmp_path / "cached", "one", "1:2.0+b1", "one_1%3a2.0+b1_all.deb")
    (tmp_path / "stack").mkdir()
    for name in BINARIES:
        (tmp_path / "stack" / name).write_text(name)
    mkosi = Mkosi(("mkosi",), {}, "25.3")
    return Taken((tree,), tmp_path / "cached", mkosi, "", tmp_path / "stack", {"m@v1": "MIT"}, 1_760_000_000, {})


def test_what_is_kept_can_be_opened_and_holds_what_was_taken(tmp_path: Path, taken: Taken) -> None:
    folder = keep(tmp_path / "archive", taken)

    found = opened(folder)

    assert (found.folder, found.built) == (folder, 1_760_000_000)
    assert sorted(json.loads((folder / "lock.json").read_bytes())["files"]) == sorted(
        [
            *("dists/trixie/Release", "dists/trixie/main/binary-amd64/Packages", "pool/one_2.0+b1_all.deb"),
            *(f"stack/{name}" for name in BINARIES),
            "stack/licences.json",
        ]
    )


def test_apt_itself_takes_the_folder_for_a_repository(tmp_path: Path, taken: Taken) -> None:
    found = opened(keep(tmp_path / "a folder", taken))

    apt = AptRoot(tmp_path / "apt", found.origin.sources)
    apt.update()
    apt.download("one/trixie")

    assert apt.unpack(tmp_path / "root") == ["one_1%3a2.0+b1_all.deb"]


def test_keeping_the_same_again_changes_no_bit(tmp_path: Path, taken: Taken) -> None:
    first = opened(keep(tmp_path / "archive", taken)).digest

    assert opened(keep(tmp_path / "archive", taken)).digest == first


def test_a_package_that_left_the_cache_is_named(tmp_path: Path, taken: Taken) -> None:
    next(taken.cached.glob("*.deb")).unlink()

    with pytest.raises(UserError, match=r"the cache has no one_1%3a2\.0\+b1_all\.deb"):
        keep(tmp_path / "archive", taken)

    assert not (tmp_path / "archive").exists()


def test_a_package_that_has_changed_in_the_cache_is_named(tmp_path: Path, taken: Taken) -> None:
    wrong = replace(taken, digests={"one_2.0+b1_all.deb": "00" * 32})

    with pytest.raises(UserError, match=r"one_1%3a2\.0\+b1_all\.deb is not the file that Debian's lists name"):
        keep(tmp_path / "archive", wrong)

    assert not (tmp_path / "archive").exists()


def test_a_folder_with_something_else_is_not_replaced(tmp_path: Path, taken: Taken) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/thesis.tex").touch()

    with pytest.raises(UserError, match="hepto did not write") as caught:
        keep(tmp_path / "archive", taken)

    assert caught.value.code is ExitCode.USAGE
    assert (tmp_path / "archive/thesis.tex").exists()


@pytest.mark.parametrize("name", ["pool/one_2.0+b1_all.deb", "stack/ptp", "dists/trixie/Release"])
def test_a_file_that_is_another_is_refused_by_name(tmp_path: Path, taken: Taken, name: str) -> None:
    folder = keep(tmp_path / "archive", taken)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(UserError, match=f"{name.replace('+', '.')} is not the file that lock.json names") as caught:
        opened(folder)
    assert caught.value.code is ExitCode.REFUSED

    (folder / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name.replace('+', '.')}"):
        opened(folder)


def test_a_lock_never_leads_out_of_its_folder(tmp_path: Path, taken: Taken) -> None:
    folder = keep(tmp_path / "archive", taken)
    (tmp_path / "outside").write_text("x")
    value = json.loads((folder / "lock.json").read_bytes())
    value["files"]["../outside"] = hashlib.sha256(b"x").hexdigest()
    (folder / "lock.json").write_text(json.dumps(value))

    with pytest.raises(UserError, match=r"lacks \.\./outside"):
        opened(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": 7}', '{"files": {}, "built": "x", "format": 1}'])
def test_a_damaged_lock_is_told_in_two_lines(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"has no lock\.json"):
        opened(tmp_path)
    (tmp_path / "lock.json").write_text(text)

    with pytest.raises(UserError, match=r"lock\.json is damaged"):
        opened(tmp_path)


@pytest.mark.parametrize("change", [{"format": 2}, {"files": {}}])
def test_a_lock_of_another_version_is_refused(tmp_path: Path, taken: Taken, change: dict[str, object]) -> None:
    folder = keep(tmp_path / "archive", taken)
    value = json.loads((folder / "lock.json").read_bytes()) | change
    (folder / "lock.json").write_text(json.dumps(value))

    with pytest.raises(UserError, match="of another version of hepto"):
        opened(folder)


def test_another_content_has_another_key_in_the_cache_wherever_it_lies(tmp_path: Path, taken: Taken) -> None:
    one, same = opened(keep(tmp_path / "one", taken)), opened(keep(tmp_path / "two", taken))
    (tmp_path / "two/pool/more.deb").write_text("x")
    write_lock(tmp_path / "two", 1_760_000_000)

    assert one.origin.identity == same.origin.identity != opened(tmp_path / "two").origin.identity


def test_files_are_named_as_apt_does() -> None:
    fields = {"Package": "busybox-static", "Version": "1:1.37.0-6+b9", "Architecture": "amd64"}

    assert cached_name(fields) == "busybox-static_1%3a1.37.0-6+b9_amd64.deb"


def test_the_index_is_sorted_and_the_release_vouches_for_it() -> None:
    index = index_of([("Package: b\n", "pool/b.deb", 2, "22"), ("Package: a\n", "pool/a.deb", 1, "11")])

    assert index == (
        "Package: a\nFilename: pool/a.deb\nSize: 1\nSHA256: 11\n\n"
        "Package: b\nFilename: pool/b.deb\nSize: 2\nSHA256: 22\n"
    )
    assert f" {hashlib.sha256(index.encode()).hexdigest()} {len(index)} main/binary-amd64/Packages" in release_of(
        index, 0
    )
    assert "Date: Thu, 01 Jan 1970 00:00:00 UTC" in release_of(index, 0)


def test_a_space_in_the_folder_does_not_break_the_sources() -> None:
    origin = Locked(Path("/a b"), 0, "d").origin

    assert "URIs: file:///a%20b\n" in origin.sources
    assert locked.LOCK == "lock.json"
