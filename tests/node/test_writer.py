import stat
from pathlib import Path

import pytest

from hepto.kube.files import Directory, File, KubePlan
from hepto.node import writer
from init.contract.service import Service, parse


@pytest.fixture
def services(tmp_path: Path) -> Path:
    """A directory of service files."""
    (tmp_path / "services").mkdir()
    return tmp_path / "services"


def plan(root: Path, content: bytes = b"x", **services: Service) -> KubePlan:
    return KubePlan((Directory(str(root / "d")),), (File(str(root / "d/f"), content, 0o600),), (), services)


def test_files_and_services_are_written_once(tmp_path: Path, services: Path) -> None:
    wanted = plan(tmp_path, etcd=Service(("/bin/etcd",)))

    first, second = (writer.write(wanted, directory=str(services)) for _ in range(2))

    assert set(first) == {str(tmp_path / "d/f"), str(services / "etcd.json")}
    assert second == ()
    assert parse((services / "etcd.json").read_bytes()) == Service(("/bin/etcd",))
    assert stat.S_IMODE((tmp_path / "d/f").stat().st_mode) == 0o600


def test_only_what_differs_is_written_again(tmp_path: Path, services: Path) -> None:
    writer.write(plan(tmp_path, etcd=Service(("/bin/etcd",)), other=Service(("/bin/other",))), (), str(services))

    wanted = plan(tmp_path, etcd=Service(("/bin/etcd", "-v")), other=Service(("/bin/other",)))
    changed = writer.write(wanted, (), str(services))

    assert changed == (str(services / "etcd.json"),)


def test_leaving_a_service_out_does_not_remove_it_but_naming_it_does(tmp_path: Path, services: Path) -> None:
    writer.write(plan(tmp_path, etcd=Service(("/bin/etcd",))), (), str(services))

    assert writer.write(plan(tmp_path), (), str(services)) == ()
    assert (services / "etcd.json").exists()
    assert writer.write(plan(tmp_path), ("etcd", "never"), str(services)) == (str(services / "etcd.json"),)
    assert not (services / "etcd.json").exists()
