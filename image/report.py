"""Says what takes how much space in an image, by package, and under which licences it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hepto.errors import UserError
from image.account import Row
from image.sbom import FILE, IMAGE

MANIFEST = "manifest.json"


def report(directory: Path) -> list[Row]:
    """The rows of the image in this directory, as its manifest has them, and a last one with the sum."""
    path = _of_image(directory, MANIFEST)
    try:
        table = [_row(row) for row in json.loads(path.read_bytes())["sizes"]]
    except (ValueError, KeyError, TypeError):
        raise _damaged(path) from None
    return [
        *table,
        Row("", "", "sum", "", "", sum(row.installed for row in table), sum(row.compressed for row in table)),
    ]


class Licence(NamedTuple):
    """What a component's own papers say: an SPDX expression, or NOASSERTION where no machine can read them."""

    component: str
    version: str
    licence: str


def licence_list(directory: Path) -> list[Licence]:
    """The licences of what is in the image, by its bill of materials; files and what was compiled are left out, for
    their licences are those of what they were made from.
    """
    path = _of_image(directory, FILE)
    try:
        packages = [each for each in json.loads(path.read_bytes())["packages"] if each.get("versionInfo")]
        found = {
            Licence(str(each["name"]), str(each["versionInfo"]), str(each["licenseDeclared"]))
            for each in packages
            if each["SPDXID"] != IMAGE
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(path) from None
    return sorted(found)


def _of_image(directory: Path, name: str) -> Path:
    """The file of that name of the image in this directory."""
    if not (directory / MANIFEST).exists():
        raise UserError(f"there is no image in {directory}", "build one with: hepto build")
    if not (directory / name).exists():
        raise UserError(f"{directory} has no {name}", "build the image again with: hepto build")
    return directory / name


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged", "build the image again with: hepto build")


def _row(value: Mapping[str, object]) -> Row:
    """Raises KeyError, TypeError and ValueError for what is none."""
    file, part, package, piece, version = (str(value[name]) for name in Row._fields[:5])
    return Row(file, part, package, piece, version, int(str(value["installed"])), int(str(value["compressed"])))
