"""The accelerator is found by trying, once, with a limit. QEMU is a shell script here."""

import time
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.lab.emulator import accelerate, works
from hepto.lab.spec import Emulator

PANICS = "echo 'Kernel panic - not syncing: VFS'"
HANGS = "exec tail -f /dev/null"


def emulator(script: str) -> Emulator:
    return Emulator(("/bin/sh", "-c", script, "qemu"), (), (10, 0))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"kernel")
    return path


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("script", "expected"),
    [(PANICS, True), ("exit 0", False), (f"{PANICS}; exit 1", False), ("exit 127", False)],
    ids=["panics", "silent", "fails", "missing"],
)
def test_a_kernel_has_to_get_as_far_as_its_panic(script: str, expected: bool, kernel: Path) -> None:
    assert works(emulator(script), kernel) is expected


def test_what_hangs_does_not_work_and_is_given_up(kernel: Path) -> None:
    begin = time.monotonic()

    assert not works(emulator(HANGS), kernel, limit=0.1)
    assert time.monotonic() - begin < 5


def test_a_qemu_that_is_not_there_does_not_work(kernel: Path) -> None:
    assert not works(Emulator(("/nonexistent/qemu",)), kernel)


@pytest.mark.parametrize(("script", "expected"), [(PANICS, "kvm"), ("exit 1", "tcg")])
def test_the_answer_is_remembered_for_this_qemu_and_kernel(
    script: str, expected: str, kernel: Path, device: Path, tmp_path: Path
) -> None:
    tried = tmp_path / "tried"
    counting = emulator(f"echo >> {tried}; {script}")
    cache = tmp_path / "cache"
    first = accelerate(counting, kernel, cache, {}, device=device)
    second = accelerate(counting, kernel, cache, {}, device=device)

    assert (first.accelerator, second.accelerator) == (expected, expected)
    assert tried.read_text() == "\n"
    kernel.write_bytes(b"another kernel")
    accelerate(counting, kernel, cache, {}, device=device)
    assert tried.read_text() == "\n\n"


def test_without_the_device_nothing_is_tried(kernel: Path, tmp_path: Path) -> None:
    found = accelerate(emulator("exit 1"), kernel, tmp_path / "cache", {}, device=tmp_path / "none")

    assert found.accelerator == "tcg"
    assert not (tmp_path / "cache").exists()


def test_the_environment_overrides_and_is_not_remembered(kernel: Path, device: Path, tmp_path: Path) -> None:
    given = {"HEPTO_QEMU_ACCEL": "kvm"}

    assert accelerate(emulator("exit 1"), kernel, tmp_path / "cache", given, device=device).accelerator == "kvm"
    assert not (tmp_path / "cache").exists()
    with pytest.raises(UserError):
        accelerate(emulator("exit 1"), kernel, tmp_path, {"HEPTO_QEMU_ACCEL": "xen"}, device=device)
