"""Writes container images as one docker-archive, as `ctr images import` reads it: the same bytes for the same files."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Member:
    """A file of an image's only layer: content, or the target of a link."""

    path: str
    content: bytes = b""
    target: str = ""
    mode: int = 0o755


@dataclass(frozen=True)
class ContainerImage:
    """An image of one layer."""

    reference: str
    members: tuple[Member, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ("PATH=/bin",)


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644, target: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.mode = mode
    if target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    else:
        info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def layer(members: Iterable[Member]) -> bytes:
    """The layer as a tar file, members sorted by path, directories first."""
    out = io.BytesIO()
    ordered = sorted(members, key=lambda member: member.path)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted({member.path.rpartition("/")[0] for member in ordered} - {""}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for member in ordered:
            _add(archive, member.path, member.content, member.mode, member.target)
    return out.getvalue()


def write(images: Sequence[ContainerImage]) -> bytes:
    """The archive that holds all images."""
    out = io.BytesIO()
    manifest = []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image in images:
            data = layer(image.members)
            digest = hashlib.sha256(data).hexdigest()
            settings = {"Env": list(image.environment)}
            if image.entrypoint:
                settings["Entrypoint"] = list(image.entrypoint)
            if image.command:
                settings["Cmd"] = list(image.command)
            config = {
                "architecture": "amd64",
                "os": "linux",
                "created": EPOCH,
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            }
            text = json.dumps(config, sort_keys=True).encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            _add(archive, name, text)
            _add(archive, f"{digest}/layer.tar", data)
            manifest.append({"Config": name, "RepoTags": [image.reference], "Layers": [f"{digest}/layer.tar"]})
        _add(archive, "manifest.json", json.dumps(manifest, sort_keys=True).encode())
    return out.getvalue()
