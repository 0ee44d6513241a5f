"""The machine's own variables come back after the last node."""

from pathlib import Path

import pytest

from hepto.host import sysctls
from init.contract.paths import KUBELET_SYSCTLS
from init.sysctls import TABLE

OF_A_KUBELET = {item.name: item.value for item in TABLE if item.name in KUBELET_SYSCTLS}


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc/sys with the kernel's defaults, one of them missing."""
    for name in KUBELET_SYSCTLS[:-1]:
        (tmp_path / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys" / name).write_text("200\n")
    return tmp_path / "sys"


def read(proc: Path) -> dict[str, str]:
    return {name: (proc / name).read_text().strip() for name in KUBELET_SYSCTLS if (proc / name).exists()}


def test_they_are_those_that_a_booted_node_sets_for_a_kubelet() -> None:
    assert OF_A_KUBELET.keys() == set(KUBELET_SYSCTLS)


def test_values_are_kept_once_and_put_back(proc: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    before = read(proc)

    sysctls.save(kept, proc)
    for name in before:
        (proc / name).write_text(OF_A_KUBELET[name])
    sysctls.save(kept, proc)  # the second node finds what the first has made of them
    sysctls.restore(kept, proc)

    assert read(proc) == before
    assert not kept.exists()


def test_without_a_node_there_is_nothing_to_put_back(proc: Path, tmp_path: Path) -> None:
    before = read(proc)

    sysctls.restore(tmp_path / "none.json", proc)

    assert read(proc) == before
