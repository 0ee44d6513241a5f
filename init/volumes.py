"""Configuration on file systems: the ESP that the machine was started from, and volumes labelled for it.

    ESP             hepto.conf, loader/credentials/*.cred      (systemd-stub(7) has the second place)
    hepto-conf      hepto.conf, *.cred
    cidata          the same, and user-data (cloud-init's NoCloud) if its first line begins with #hepto

They are mounted read-only and never written to. What is found goes to /run/credentials, one directory for each; the
ESP stays mounted at /run/hepto/esp. A disk may block for minutes and a file system be damaged, so all of it is done in
children. Nothing here judges what is in a file: the agent does, with all other sources.
"""

import contextlib
import os
import stat
from typing import NamedTuple

from init import blockdevices, credentials, linux, rootdisk
from init.boot import Finished, Run, Task, World
from init.contract import paths
from init.credentials import MAX_VALUE, Credential, Found, valid_name

CONF, USER_DATA, SUFFIX = "hepto.conf", "user-data", ".cred"
MARK = b"#hepto"
"""cloud-init, too, tells what user-data is by its first line."""
BLKID = "/usr/sbin/blkid"
PASSED_OVER = ("loop", "ram", "zram", "dm-", "md", "fd", "nbd")
KINDS = ("vfat", "iso9660")
READ_ONLY = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
LIMIT = 30.0
MOST = 64
"""Files that are looked at in a directory."""

FAT = ((0x36, b"FAT1"), (0x52, b"FAT32"))
ISO = (0x8001, b"CD001")  # ECMA-119 8.1: the descriptor's identifier in sector 16


class Volume(NamedTuple):
    """A file system with configuration, and what its source is called in /run/credentials."""

    source: str
    device: str
    kind: str


def sources(label: str) -> str:
    """The source that a label stands for; "" for none. FAT has capitals only."""
    return {"hepto-conf": "volume", "cidata": "cidata"}.get(label.lower(), "")


def may_hold(head: bytes) -> bool:
    """True if what begins with these bytes can be FAT or ISO 9660: only then blkid is asked for its label."""
    return any(head[at : at + len(mark)] == mark for at, mark in (*FAT, ISO))


def parse_blkid(output: bytes) -> tuple[Volume, ...]:
    """The volumes among what `blkid -o export` printed: of each source the first."""
    found: dict[str, Volume] = {}
    for block in output.decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        source, kind = sources(fields.get("LABEL", "")), fields.get("TYPE", "")
        if source and kind in KINDS and "DEVNAME" in fields:
            found.setdefault(source, Volume(source, fields["DEVNAME"], kind))
    return tuple(sorted(found.values(), reverse=True))


def gather(directory: str, source: str) -> Found:
    """What a mounted file system holds. Raises OSError if it cannot be read at all."""
    places = [("", SUFFIX), ("", CONF)] if source != "esp" else [("loader/credentials", SUFFIX), ("", CONF)]
    if source == "cidata":
        places.append(("", USER_DATA))
    found: dict[str, Credential] = {}
    mistakes: list[str] = []
    for folder, wanted in places:
        for name in _names(os.path.join(directory, folder)):
            title = name.removesuffix(SUFFIX) if wanted == SUFFIX else name
            if not (name.endswith(wanted) if wanted == SUFFIX else name == wanted) or not valid_name(title):
                continue
            try:
                value = _content(os.path.join(directory, folder, name))
            except OSError as error:
                mistakes.append(f"{source}: {name} cannot be read: {error.strerror}")
                continue
            if name == USER_DATA and not value.startswith(MARK):
                mistakes.append(f"{source}: user-data is not for hepto, for its first line does not begin with #hepto")
            else:
                found[title] = Credential(title, value)
    return Found(tuple(found.values()), tuple(mistakes))


def task(world: World) -> Task:
    """Phase `volumes`. A file system that cannot be read is said; the options that lack are the agent's business."""
    esp = rootdisk.named(paths.ESP_LABEL, world.root)
    if esp is not None:
        yield from _take(world, Volume("esp", esp.device, "vfat"), stays=True)
    seen = yield Run(call=lambda: _look(world.root, esp.device if esp else ""), timeout=LIMIT, capture=True)
    assert isinstance(seen, Finished)
    for volume in parse_blkid(seen.output):
        yield from _take(world, volume, stays=False)


def _take(world: World, volume: Volume, *, stays: bool) -> Task:
    def child() -> None:
        target = world.path(paths.ESP if stays else f"{paths.RUN}/{volume.source}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(target, 0o700)
        if not os.path.ismount(target):
            options = "umask=0077" if volume.kind == "vfat" else ""
            linux.mount(world.path(volume.device), target, volume.kind, READ_ONLY, options)
        try:
            found = gather(target, volume.source)
        finally:
            if not stays:
                linux.umount2(target, 0)
        if found.credentials:
            credentials.write(volume.source, found.credentials, world.root)
        names = ", ".join(one.name for one in found.credentials)
        said = [*found.mistakes, *([f"{volume.source} ({volume.device}): {names}"] if names else [])]
        os.write(1, "\n".join(said).encode())

    result = yield Run(call=child, timeout=LIMIT, capture=True)
    assert isinstance(result, Finished)
    lines = result.output.decode("utf-8", "replace").strip().splitlines()
    if result.code != 0:
        why = lines[-1] if lines else "it did not answer in time"
        lines = [f"{volume.source}: {volume.device} cannot be read: {why}"]
    for line in lines:
        world.log(line)


def _look(root: str, known: str) -> None:
    """In a child: become blkid on what may hold a volume."""
    devices = []
    for name in sorted(os.listdir(root + blockdevices.CLASS)):
        path = f"{root}/dev/{name}"
        if name.startswith(PASSED_OVER) or path == root + known:
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            head = os.pread(descriptor, 0x9000, 0)
            os.close(descriptor)
            if may_hold(head):
                devices.append(path)
    if devices:
        os.execv(BLKID, (BLKID, "-c", "/dev/null", "-o", "export", *devices))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))[:MOST]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file", path)
        value = file.read(MAX_VALUE + 1)
    if len(value) > MAX_VALUE:
        raise OSError(0, f"larger than {MAX_VALUE} bytes", path)
    return value
