"""A skip that nobody expects is a failure (tests/conftest.py), of a test as of a whole file."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import EXPECTED_SKIPS

ROOT = Path(__file__).parent.parent
IMPORT = "import pytest\n\n"
TEST = "\n\ndef test_one():\n    "


def run(directory: Path, **files: str) -> str:
    """Run test files under the rules of tests/conftest.py; what pytest says of them."""
    for name, content in files.items():
        (directory / f"test_{name}.py").write_text(IMPORT + content)
    options = ("-q", "-rA", "-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(directory), str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_a_skip_that_nobody_expects_is_a_failure(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        inside=TEST + "pytest.skip('of a test')\n",
        mark="pytestmark = pytest.mark.skip(reason='by a mark')" + TEST + "pass\n",
        file="pytest.skip('of a file', allow_module_level=True)\n",
        module="pytest.importorskip('no_such_module')\n",
        good=TEST + "pass\n",
    )

    for reason in ("of a test", "by a mark", "of a file", "could not import 'no_such_module'"):
        assert f"unexpected skip: {reason}" in said
    assert "1 failed, 1 passed, 3 errors" in said


def test_an_expected_skip_is_one_where_it_is_honest(tmp_path: Path) -> None:
    skips = (f"pytest.skip({reason!r}, allow_module_level=True)\n" for reason in EXPECTED_SKIPS)
    said = run(tmp_path, **{f"file{number}": skip for number, skip in enumerate(skips)})

    for reason in EXPECTED_SKIPS:
        assert (f"unexpected skip: {reason}" in said) is not EXPECTED_SKIPS[reason]
