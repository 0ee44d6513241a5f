"""`hepto --version`: that of hepto, and of what it runs in or would build: image and upstream stack."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from hepto.errors import UserError
from init.contract import paths

ORDER = ("kubernetes", "etcd", "containerd", "coredns", "cni-plugins")
"""The stack, what a person asks for first."""


def text(image: Path = Path(paths.IMAGE)) -> str:
    """One line for hepto; on a node one for its image, elsewhere one for the images that `hepto build` makes."""
    found = read(image)
    if found is not None:
        built = datetime.fromtimestamp(found["built"], UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"hepto {found['version']}\nimage {found['version']} of {built}: {_names(found['stack'])}"
    stack = to_build()
    return f"hepto {installed()}" + (f"\nbuilds images with {_names(stack)}" if stack else "")


def read(image: Path) -> dict[str, Any] | None:
    """What is written down in the image that this runs in; None outside of one. Any: JSON."""
    try:
        found = json.loads(image.read_bytes())
        return {"version": str(found["version"]), "built": int(found["built"]), "stack": dict(found["stack"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def installed() -> str:
    """That of the installed package."""
    try:
        return metadata.version("hepto")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def kubernetes(image: Path = Path(paths.IMAGE)) -> str:
    """The version of Kubernetes in the image that this runs in, else in those that it builds. Raises UserError."""
    found = read(image)
    stack = found["stack"] if found else to_build()
    if "kubernetes" not in stack:
        what = "the version of Kubernetes is not known: neither an image nor the image builder is here"
        raise UserError(what, "install hepto's whole wheel, or run it in its repository")
    return str(stack["kubernetes"])


def to_build() -> dict[str, str]:
    """The stack that `hepto build` compiles; empty where the builder is not there."""
    try:
        from image import binaries
    except ImportError:
        return {}
    requirements = (binaries.SOURCE / "go.mod").read_text()
    return {name: binaries.module_version(requirements, module) for name, module in binaries.NAMED.items()}


def _names(stack: Mapping[str, str]) -> str:
    known = [name for name in ORDER if name in stack]
    return ", ".join(f"{name} {stack[name]}" for name in [*known, *sorted(stack.keys() - known)])
