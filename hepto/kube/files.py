"""Rendered files and the plan: what Kubernetes on a node consists of, as comparable values.

The agent makes the directories, writes the files that changed, removes `absent` ones, and only then writes service
files.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from init.contract.service import Service

MODE_SECRET = 0o600
MODE_PUBLIC = 0o644


@dataclass(frozen=True)
class File:
    path: str
    data: bytes = field(repr=False)
    """Not shown: it may hold a secret."""
    mode: int = MODE_PUBLIC


@dataclass(frozen=True)
class Directory:
    path: str
    mode: int = 0o700


@dataclass(frozen=True)
class KubePlan:
    """Directories in the order of making them, files, files of ours that must not be there, and services by name."""

    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    absent: tuple[str, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)

    def __add__(self, other: "KubePlan") -> "KubePlan":
        return KubePlan(
            self.directories + other.directories,
            self.files + other.files,
            self.absent + other.absent,
            {**self.services, **other.services},
        )


def json_file(path: str, value: Mapping[str, Any], mode: int = MODE_PUBLIC) -> File:
    """A JSON file, which is YAML to every component of Kubernetes."""
    return File(path, json.dumps(value, indent=1).encode() + b"\n", mode)


def restart_key(*files: File) -> str:
    """Changes when a file changes that its service reads only at its start."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(len(file.data).to_bytes(8, "big") + file.data)
    return digest.hexdigest()[:16]
