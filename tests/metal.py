"""The image for servers (`hepto build --profile metal`), for long tests: built by the first of them."""

import faulthandler
import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORDS = ("--profile", "metal", "--format", "iso", "--output", "build/metal")


@functools.cache
def image() -> Path:
    """The directory of the image of this tree; what has not changed since the build before takes seconds."""
    # A build outlasts the time after which pytest would print all stacks.
    faulthandler.cancel_dump_traceback_later()
    subprocess.run([sys.executable, "-m", "hepto", "build", *WORDS], cwd=ROOT, check=True)
    return ROOT / WORDS[-1]
