"""Builds an image: packages and stack (cached), our code on top, one EROFS, stage 0.

Promises: the output directory changes by one rename when all is written and synced; an interrupted build leaves nothing
there. What is slow is cached by its inputs, so after a change to Python code only our code, the EROFS and the checksums
are made again.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from hepto.edge.cache import ensure, existing, key_of, scratch
from hepto.edge.debian import ensure_mkosi
from image import binaries, locked, output, spec, tree
from image.formats import Wish
from image.installed import REPOSITORY
from image.inventory import go_licences
from image.mkosi import TREE, Builder
from image.output import Steps
from image.profile import VM, Profile

OWNERS = "owners.json"
UMASK = 0o022
# The modules that decide what the base looks like: a change to one makes it again.
RULES = ("archive", "elf", "layout", "modules", "profile", "spec", "tree")


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    output: Path
    cache: Path
    stack: Path | None = None  # ready binaries
    locked: Path | None = None  # a folder to take everything from
    archive: Path | None = None  # a folder to keep everything in
    wish: Wish = field(default_factory=Wish)
    words: tuple[str, ...] = ()
    """Options that are baked in, as words of a kernel command line."""
    profile: Profile = VM


def build(request: Request, steps: Steps) -> Path:
    """Builds the image and returns the directory it is in."""
    # What the user keeps from others must not enter the modes of an image's files.
    before = os.umask(UMASK)
    try:
        return _build(request, steps)
    finally:
        os.umask(before)


def _build(request: Request, steps: Steps) -> Path:
    output.check_target(request.output)
    if request.archive:
        locked.check_target(request.archive)
    request.cache.mkdir(parents=True, exist_ok=True)
    taken = None
    if request.locked:
        with steps.step("Archived packages"):
            taken = locked.opened(request.locked)
    ready = _stack(request, taken, steps)
    with steps.step("mkosi"):
        origin = taken.origin if taken else None
        mkosi = ensure_mkosi(request.cache, origin)
        builder = Builder(request.cache, mkosi, steps.detail, origin, request.profile)
    base, tools, packages = prepare(request, ready, builder, steps)
    with scratch(request.cache, "work") as directory:
        work = directory / "root"
        with steps.step("Our code"):
            built = int(os.environ.get("SOURCE_DATE_EPOCH") or (taken.built if taken else time.time()))
            details = output.describe(ready, packages, built, request.profile)
            tree.clone(base / "root", work)
            owners = json.loads((base / OWNERS).read_text())
            image_json = {"version": details["version"], "built": details["built"], "stack": details["stack"]}
            folders = tree.install_code(REPOSITORY, work)
            (work / spec.IMAGE_JSON).write_text(json.dumps(image_json, indent=1, sort_keys=True) + "\n")
            if request.words:
                (work / spec.WORDS).write_text(" ".join(request.words))
            tree.compile_python(work, folders)
        licences = go_licences(ready, request.cache)
        parts = output.Parts(tools, packages / TREE, work, details, owners, licences, request.profile)
        output.write(request.output, parts, request.wish, steps)
    if request.archive:
        with steps.step("Archive of packages"):
            trees, cached = (tools, packages / TREE), builder.package_cache / "cache/apt/archives"
            sources = builder.origin.sources
            digests = {each["file"]: each["sha256"] for each in details["packages"] if each["sha256"]}
            kept = locked.Taken(trees, cached, builder.mkosi, sources, ready, licences, built, digests)
            locked.keep(request.archive, kept)
    return request.output


def _stack(request: Request, taken: locked.Locked | None, steps: Steps) -> Path:
    """The folder of the Kubernetes binaries."""
    if taken:
        return binaries.ready(taken.folder / locked.STACK)
    if request.stack:
        return binaries.ready(request.stack)
    with steps.step("Kubernetes stack"):
        return binaries.compiled(request.cache, steps.detail)


def prepare(request: Request, ready: Path, builder: Builder, steps: Steps) -> tuple[Path, Path, Path]:
    """The cached stages: the assembled base, the tools, and the packages' tree."""
    if not builder.has_tools():
        with steps.step("Tools"):
            builder.tools()
    with steps.step("Packages"):
        packages = builder.tree()
    rules = [(Path(__file__).parent / f"{name}.py").read_bytes() for name in RULES]
    digests = [output.digest_of(ready / name) for name in spec.BINARIES]
    key = key_of(builder.tree_key(), *digests, *rules)

    kind = request.cache / request.profile.entry("base")

    def make(target: Path) -> None:
        kept = tree.assemble(packages / TREE, ready, target / "root", request.profile)
        (target / OWNERS).write_text(json.dumps(kept, sort_keys=True))

    if existing(kind, key) is None:
        with steps.step("Root without our code"):
            ensure(kind, key, make)
    return ensure(kind, key, make), builder.tools(), packages
