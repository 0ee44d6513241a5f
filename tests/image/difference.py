"""Names the first file in which two images differ: in the root, if it is there."""

from pathlib import Path

from tests.image.conftest import Tools


def listing(directory: Path) -> dict[str, bytes]:
    """Path -> content of every file, target of every link, and nothing for a directory."""
    found = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = b"-> " + bytes(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else b""
    return found


def first_difference(one: Path, two: Path) -> str | None:
    """The first path, sorted, that is not in both directories with the same content."""
    ones, twos = listing(one), listing(two)
    return next((name for name in sorted(ones.keys() | twos.keys()) if ones.get(name) != twos.get(name)), None)


def first_difference_of_images(one: Path, two: Path, tools: Tools, scratch: Path) -> str | None:
    """As above; if the roots differ it is a path inside them that is named."""
    if (one / "root.erofs").read_bytes() != (two / "root.erofs").read_bytes():
        for name, image in (("one", one), ("two", two)):
            tools.run("fsck.erofs", f"--extract={scratch / name}", "--overwrite", image / "root.erofs")
        inside = first_difference(scratch / "one", scratch / "two")
        return f"root.erofs: {inside or 'the files are the same, their order, times or modes are not'}"
    return first_difference(one, two)
