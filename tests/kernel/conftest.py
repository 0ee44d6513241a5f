"""A booted PID 1 in namespaces of its own, for each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.machine import Machine, machine


@pytest.fixture
def booted(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as found:
        yield found
