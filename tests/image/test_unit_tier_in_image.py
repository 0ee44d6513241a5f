"""The unit tier, run by the image's own Python with the image's own libraries (marker `image`)."""

import faulthandler
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from tests.image.conftest import REPOSITORY

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

# pytest and what it needs, all of it pure Python; the libraries under test are the image's.
RUNNER = (
    *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py", "pytest_timeout", "hypothesis"),
    *(
        "sortedcontainers",
        "attr",
        "attrs",
        "_hypothesis_globals",
        "_hypothesis_pytestplugin",
        "_hypothesis_ftz_detector",
    ),
)

# What these test never runs on a node (image.spec.CODE_DROP), or is the repository itself.
HOST_ONLY = (
    *(
        "tests/bench",
        "tests/image",
        "tests/lab",
        "tests/vm",
        "tests/test_architecture.py",
        "tests/test_linters.py",
        "tests/test_makefile.py",
        "tests/test_wheel.py",
    ),
    *("tests/cli/test_build.py", "tests/cli/test_lab.py", "tests/cli/test_lab_up.py"),
    *("tests/cli/test_interrupted_build.py", "tests/cli/test_manual.py"),
    # They compare our bytes with pyroute2's, which is not on a node.
    *("tests/edge/test_netlink.py", "tests/edge/test_wireguard.py"),
    *(
        "tests/edge/test_apt.py",
        "tests/edge/test_cache.py",
        "tests/edge/test_command.py",
        "tests/edge/test_debian.py",
    ),
)

SCRIPT = """
set -e
mount -t tmpfs tmpfs "$1/tmp"
mkdir "$1/tmp/site" "$1/tmp/repository"
mount --bind "$2" "$1/tmp/repository"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
cp -r "$3/." "$1/tmp/site/"
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/tmp/site \\
    /bin/sh -c 'cd /tmp/repository && exec python3 -m pytest -q -p no:cacheprovider "$@"' sh $4
"""


def collect(folder: Path) -> None:
    """Links to the test runner's packages, with the metadata by which it finds its plugins."""
    for name in RUNNER:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
        for metadata in source.parent.glob(f"{name.lower()}-*.dist-info"):
            (folder / metadata.name).symlink_to(metadata)


def test_the_unit_tier_passes_inside_the_image(root: Path, tmp_path: Path) -> None:
    # A whole tier in one test: on a busy machine it outlasts the time after which pytest would print all stacks.
    faulthandler.cancel_dump_traceback_later()
    links, runner = tmp_path / "links", tmp_path / "runner"
    links.mkdir()
    collect(links)
    subprocess.run(["cp", "-rL", links, runner], check=True)
    namespaces = ["--mount", "--pid", "--fork"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    words = " ".join([*(f"--ignore={path}" for path in HOST_ONLY), "tests"])

    result = subprocess.run(
        ["unshare", *namespaces, "sh", "-c", SCRIPT, "sh", root, REPOSITORY, runner, words],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]
