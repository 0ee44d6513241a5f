"""The boot's order as a whole, and what the short tasks do on a made-up machine."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from init import credentials, modules, phases
from init.boot import Phase, Run, Wait, Woken, World
from init.contract.service import Service, parse
from tests.fakes.smbios import table


def world(root: Path, **files: bytes | str) -> World:
    """A machine with these files, `/` written as `__`."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return World(str(root))


def with_modules(root: Path) -> None:
    (root / "lib/modules" / os.uname().release).mkdir(parents=True)


def steps(name: str, machine: World) -> list[Any]:
    return list(phases.TASKS[name](machine))


def begin(name: str, machine: World) -> Generator[Any, Any, None]:
    return phases.TASKS[name](machine)


def test_the_order_of_a_boot() -> None:
    expected = (
        Phase("mounts", "mounts"),
        Phase("keys", "keys", again=True),
        Phase("services", "services", again=True),
        Phase("sysctls", "sysctls"),
        Phase("hotplug", "hotplug", background=True),
        Phase("damage", "damage", background=True),
        Phase("modules", "modules"),
        Phase("preload", "preload", background=True),
        Phase("volumes", "volumes"),
        Phase("credentials", "credentials"),
        Phase("data", "data", after=("mounts",)),
        Phase("seed", "seed", after=("data",), background=True),
    )

    assert expected == phases.BOOT


def test_a_container_leaves_alone_what_is_its_host_s() -> None:
    expected = (
        Phase("mounts", "mounts-contained"),
        Phase("services", "services", again=True),
        Phase("data", "data-given", after=("mounts",)),
    )

    assert expected == phases.CONTAINER


def test_every_task_exists_and_every_phase_comes_after_what_it_needs() -> None:
    assert {phase.task for phase in (*phases.BOOT, *phases.CONTAINER)} == set(phases.TASKS)
    for order in (phases.BOOT, phases.CONTAINER):
        names = [phase.name for phase in order]
        for place, phase in enumerate(order):
            assert set(phase.after) <= set(names[:place])
            assert phase.name in {other.name for other in phases.BOOT}, "whoever waits for a phase knows its name"


def test_a_container_s_data_is_on_a_disk_of_its_host(tmp_path: Path) -> None:
    machine = World(str(tmp_path))

    assert steps("data-given", machine) == []
    assert machine.state["data"] == "disk"


def test_logger_and_agent_are_always_there_and_the_channel_only_when_ordered() -> None:
    assert set(phases.built_in(frozenset({"console"}))) == {"logger", "agent"}
    assert set(phases.built_in(frozenset({"lab"}))) == {"logger", "agent", "lab"}


@pytest.mark.parametrize("service", phases.built_in(frozenset({"lab"})).values(), ids=lambda service: service.argv[-1])
def test_built_in_services_are_valid_and_never_killed_for_memory(service: Service) -> None:
    assert parse(service.dump()) == service
    assert service.oom_score_adj == -999


def test_the_keys_decide_about_the_built_in_services(tmp_path: Path) -> None:
    added: dict[str, Service] = {}
    world(tmp_path, proc__cmdline="quiet hepto.debug=lab\n")
    machine = World(str(tmp_path), add_service=added.__setitem__)

    steps("keys", machine)
    steps("services", machine)

    assert added == phases.built_in(frozenset({"lab"}))


def test_an_installation_medium_has_shells_and_no_node(tmp_path: Path) -> None:
    added: dict[str, Service] = {}
    console = {"sys__class__tty__console__active": "tty0 ttyS0\n"}
    world(tmp_path, proc__cmdline="hepto.data-disk=memory init.install quiet\n", **console)
    machine = World(str(tmp_path), add_service=added.__setitem__)

    steps("keys", machine)
    steps("services", machine)

    assert set(added) == {"logger", "shell-tty1", "shell-ttys0"}
    assert added["shell-ttys0"].argv[-2:] == ("shell", "ttyS0")
    assert all(parse(service.dump()) == service for service in added.values())
    assert machine.keys.data_disk == "memory"


def test_services_come_before_everything_that_takes_long() -> None:
    names = [phase.name for phase in phases.BOOT]

    assert names.index("services") < min(names.index(name) for name in ("hotplug", "modules", "credentials", "data"))


def test_the_modules_of_all_devices_are_loaded_with_one_command(tmp_path: Path) -> None:
    machine = world(
        tmp_path,
        sys__bus__pci__devices__0__modalias="pci:v00001AF4\n",
        sys__bus__virtio__devices__1__modalias="virtio:d00000002v00001AF4\n",
    )
    with_modules(tmp_path)

    wait, run = steps("modules", machine)

    assert wait == Wait(0.0)
    assert run.argv == modules.command((*modules.EARLY, "pci:v00001AF4", "virtio:d00000002v00001AF4"))


def test_without_modules_of_this_kernel_none_is_loaded(tmp_path: Path) -> None:
    machine = world(tmp_path, sys__bus__pci__devices__0__modalias="pci:v00001AF4\n")

    assert not any(isinstance(step, Run) for step in steps("modules", machine))
    assert isinstance(next(iter(phases.TASKS["preload"](machine))), Wait)


def test_devices_that_come_get_their_modules_and_the_data_disk_waits_for_them(tmp_path: Path) -> None:
    with_modules(tmp_path)
    machine = World(str(tmp_path))
    task = begin("hotplug", machine)

    assert next(task) == Wait(phases.LONG, uevent=True)
    events = (
        {"ACTION": "add", "MODALIAS": "usb:v1"},
        {"ACTION": "remove", "MODALIAS": "usb:v2"},
        {"ACTION": "add", "DEVPATH": "/devices/x"},
    )
    run = task.send(Woken(events))

    assert run.argv == modules.command(("usb:v1",))
    assert machine.state[phases.LOADING]
    assert task.send(None) == Wait(phases.LONG, uevent=True)
    assert not machine.state[phases.LOADING]
    assert task.send(Woken(({"ACTION": "change"},))) == Wait(phases.LONG, uevent=True)


def test_after_lost_uevents_all_devices_are_looked_at_again(tmp_path: Path) -> None:
    machine = world(tmp_path, sys__bus__pci__devices__0__modalias="pci:a")
    with_modules(tmp_path)
    task = begin("hotplug", machine)
    next(task)

    assert task.send(Woken((), lost=True)).argv == modules.command(("pci:a",))


def test_preloading_loads_once_and_never_ends(tmp_path: Path) -> None:
    with_modules(tmp_path)
    task = begin("preload", World(str(tmp_path)))

    assert next(task).argv == modules.command(modules.SOON)
    assert task.send(None).call == modules.load_later
    assert [task.send(None) for _ in range(3)] == [Wait(phases.LONG)] * 3


def test_the_image_s_words_count_and_the_command_line_outranks_them(tmp_path: Path) -> None:
    machine = world(
        tmp_path,
        proc__cmdline="quiet hepto.data-disk=S2\n",
        usr__lib__hepto__cmdline="hepto.data-disk=S1 hepto.debug=lab",
    )

    steps("keys", machine)

    assert machine.keys.data_disk == "S2"
    assert machine.keys.debug == {"lab"}


def test_credentials_are_taken_and_named_but_never_shown(tmp_path: Path) -> None:
    log: list[str] = []
    world(
        tmp_path,
        sys__firmware__dmi__tables__DMI=table(b"io.systemd.credential:hepto.key=s3cret", b"io.systemd.credential:x"),
    )
    (tmp_path / "run").mkdir()

    steps("credentials", World(str(tmp_path), log=log.append))

    assert (tmp_path / "run/credentials/smbios/hepto.key").read_bytes() == b"s3cret"
    assert not (tmp_path / "run/credentials/fw_cfg").exists()
    assert "hepto.key" in "".join(log)
    assert "'x' is no name" in "".join(log)
    assert "s3cret" not in "".join(log)
    assert credentials.MODE == 0o400


@pytest.mark.parametrize(("data", "runs"), [("disk", 1), ("memory", 0), (None, 0)])
def test_a_seed_is_kept_on_a_disk_only(data: str | None, runs: int) -> None:
    machine = World()
    machine.state["data"] = data

    task = begin("seed", machine)

    assert [isinstance(next(task), Run) for _ in range(3)].count(True) == runs


def test_a_sysctl_that_is_refused_is_said_and_fails_nothing(tmp_path: Path) -> None:
    log: list[str] = []
    (tmp_path / "proc/sys/kernel/panic").mkdir(parents=True)

    steps("sysctls", World(str(tmp_path), log=log.append))

    assert log == ["sysctl kernel/panic = 10: Is a directory"]
