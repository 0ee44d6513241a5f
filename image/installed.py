"""Where this hepto is installed: in its repository, or from a wheel, which has the same files in other places.

Packages (hepto, init, image with all that is in its folder) lie beside each other in both; mkosi.conf is at the top of
the repository, and in a wheel among its data (share/hepto of the prefix).
"""

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from hepto.errors import UserError

REPOSITORY = Path(__file__).parents[1]
"""The folder that our packages lie in."""
DATA = "share/hepto/mkosi.conf"


def configuration(repository: Path = REPOSITORY, files: Iterable[metadata.PackagePath] | None = None) -> Path:
    """The folder with the nodes' mkosi.conf. `files` are those of the installed wheel. Raises UserError."""
    if (repository / "mkosi.conf").is_file():
        return repository
    for file in _files() if files is None else files:
        path = Path(file.locate())
        if file.as_posix().endswith(DATA) and path.is_file():
            return path.resolve().parent
    raise UserError(
        "hepto build: this installation has no mkosi.conf, which names the packages of a node",
        "install hepto's whole wheel, or run it in its repository",
    )


def version(repository: Path = REPOSITORY) -> str:
    """That of the repository, else of the installed wheel."""
    try:
        return str(_project(repository)["version"])
    except FileNotFoundError:
        return metadata.version("hepto")


def licence(repository: Path = REPOSITORY) -> str:
    """hepto's own, as an SPDX expression."""
    try:
        return str(_project(repository)["license"]["text"])
    except FileNotFoundError:
        return metadata.metadata("hepto")["License"]


def _project(repository: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    return project


def _files() -> Iterable[metadata.PackagePath]:
    try:
        return metadata.files("hepto") or ()
    except metadata.PackageNotFoundError:
        return ()
