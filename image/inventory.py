"""Gathers what the bill of materials says: reads the trees of a build, the stack's binaries and Go's module cache.

Promises: the same trees give the same text; what has no licence that a machine can read is said to have none known.
"""

import hashlib
import json
import mmap
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hepto.edge.cache import ensure, key_of
from hepto.edge.debian import SUITE
from image import binaries, goinfo, licences, sbom, spec
from image.installed import licence
from image.licences import Declared
from image.manifest import paragraphs
from image.sbom import Component

GO_LICENCES = "licences.json"
"""Beside ready binaries: PATH@VERSION -> SPDX expression, as a build keeps them."""
RULES = (Path(licences.__file__), Path(goinfo.__file__))


def debian_licences(packages: Path, names: Iterable[str]) -> dict[str, Declared]:
    """Package -> what its copyright file in the packages' tree says."""
    found = {}
    for name in names:
        path = (packages / "usr/share/doc" / name / "copyright").resolve()
        if path.is_relative_to(packages.resolve()) and path.is_file():
            found[name] = licences.of_copyright(path.read_text(errors="replace"))
    return found


def go_licences(stack: Path, cache: Path) -> dict[str, str]:
    """PATH@VERSION -> expression, of all Go modules in the stack: from beside ready binaries, else from the cache, else
    from Go's module cache. Empty if that does not hold them all, so that no build knows only some by chance.
    """
    modules = Path({**binaries.go_caches(cache), **os.environ}["GOMODCACHE"])
    if (stack / GO_LICENCES).is_file():
        value = json.loads((stack / GO_LICENCES).read_bytes())
        return {str(key): str(expression) for key, expression in value.items()}
    wanted = sorted({module for info in _infos(stack).values() if info for module in info.modules})
    folders = {f"{module.path}@{module.version}": modules / _escaped(module) for module in wanted}
    key = key_of(*folders, *(path.read_bytes() for path in RULES))

    def make(target: Path) -> None:
        found = {name: licences.of_module(_files(folder)) for name, folder in folders.items()}
        (target / GO_LICENCES).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")

    if not (cache / "licences" / key).is_dir() and not all(folder.is_dir() for folder in folders.values()):
        return {}
    return dict(json.loads((ensure(cache / "licences", key, make) / GO_LICENCES).read_bytes()))


def _escaped(module: goinfo.Module) -> str:
    """The module's folder in Go's module cache: capitals become `!` and the small letter (golang.org/x/mod/module)."""
    return re.sub("[A-Z]", lambda match: "!" + match[0].lower(), f"{module.path}@{module.version}")


def _files(folder: Path) -> list[tuple[str, str]]:
    named = sorted(path for path in folder.iterdir() if licences.LICENCE_FILE.fullmatch(path.name) and path.is_file())
    return [(path.name, path.read_text(errors="replace")) for path in named]


def _infos(stack: Path) -> dict[str, goinfo.BuildInfo | None]:
    return {name: _info(stack / name) for name in spec.BINARIES}


def bill(
    details: Mapping[str, Any],
    trees: tuple[Path, Path],
    contents: Iterable[str],
    go: Mapping[str, str],
    files: Mapping[str, str],
) -> str:
    """The bill of materials. `details` is the manifest, `trees` are the packages' tree and the finished root,
    `contents` the packages that have files in that, `go` the modules' licences, `files` the image's files with their
    SHA-256.
    """
    packages, root = trees
    version = str(details["version"])
    known = {package["name"]: package["sha256"] for package in details["packages"]}
    status = (packages / "var/lib/dpkg/status").read_text()
    kept = set(contents)
    installed = [fields for fields in paragraphs(status) if fields["Package"] in kept and "Version" in fields]
    ours = Declared(licence())
    components = [
        *sbom.debian_components(installed, known, debian_licences(packages, sorted(kept)), SUITE),
        *sbom.go_components({name: _binary(root / path) for name, path in spec.STACK_PLACES.items()}, go),
        Component(sbom.reference("hepto"), "hepto", version, ours, purl=f"pkg:generic/hepto@{version}"),
        *(
            Component(sbom.reference("file", name), name, "", Declared(), digest=digest, file=name, purpose="FILE")
            for name, digest in files.items()
        ),
    ]
    image = Component(sbom.IMAGE, "hepto-image", version, Declared(), purpose="OPERATING-SYSTEM")
    return sbom.document(image, components, int(details["built"]))


def _info(path: Path) -> goinfo.BuildInfo | None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return goinfo.read(data)


def _binary(path: Path) -> tuple[str, goinfo.BuildInfo | None]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), _info(path)
