"""The disk image under UEFI firmware: its only disk, its verified root, its data, and what a damaged root does.

One machine lives through all of it, in the order of this file. The UKI, and configuration in the ESP, are long tests.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hepto.edge.cache import cache_directory
from hepto.edge.debian import ensure_mkosi
from hepto.lab import boot, plan
from image.mkosi import Builder
from image.toolbox import Toolbox
from tests.vm import harness
from tests.vm.harness import Node, eventually, throughout

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200, func_only=True)]

MIB = 1 << 20
BOOT_LIMIT = 600.0
INFO = ("/usr/bin/hepto", "info", "--machine", "--json")


def disk_of_the_image() -> dict[str, Any]:
    """What the manifest says of it."""
    found: dict[str, Any] = json.loads((harness.image() / "manifest.json").read_text())["disk"]
    return found


def place(label: str) -> int:
    """Where the first partition of that label begins."""
    return next(int(part["offset"]) for part in disk_of_the_image()["partitions"] if part["label"].startswith(label))


@pytest.fixture(scope="module")
def machine() -> Iterator[Node]:
    boot.check_image(harness.image(), plan.files("disk"))
    with harness.ready("disk-image", format="disk") as node:
        yield node


def begin_anew(node: Node, action: str = "on") -> None:
    """Switch it on, or reset it, and wait until it serves its channel."""
    boots = node.view()["boots"]
    node.connection.power(node.name, action)
    node.connection.wait_for(node.name, lambda seen: seen["boots"] == boots + 1 and seen["channel"], BOOT_LIMIT)


def flip(node: Node, at: int) -> None:
    """One bit of its disk, while it is off."""
    with Path(node.view()["data"]).open("r+b") as disk:
        disk.seek(at)
        byte = disk.read(1)[0]
        disk.seek(at)
        disk.write(bytes([byte ^ 1]))


def switch_off(node: Node) -> None:
    node.connection.power(node.name, "off")
    node.connection.wait_for(node.name, lambda seen: not seen["on"], 60)


def sources(node: Node) -> dict[str, dict[str, str]]:
    """The options in force, each with its value and where that comes from."""
    found: dict[str, dict[str, str]] = json.loads(node.run(*INFO).stdout)["options"]
    return found


def test_the_root_is_the_one_that_the_uki_names(machine: Node) -> None:
    words = machine.sh("cat /proc/cmdline").split()

    assert f"roothash={disk_of_the_image()['roothash']}" in words
    assert "hepto.name=one" in words, "systemd-stub has added what SMBIOS holds"
    mounts = [line.split() for line in machine.sh("cat /proc/mounts").splitlines()]
    assert next((line[2], line[3].split(",")[0]) for line in mounts if line[1] == "/") == ("erofs", "ro")
    assert machine.sh("cat /sys/block/dm-0/dm/name").strip() == "root"


def test_the_data_have_grown_to_the_end_of_the_disk(machine: Node) -> None:
    partition, disk = (int(machine.sh(f"cat /sys/class/block/{name}/size")) * 512 for name in ("vda6", "vda"))

    assert disk - place("hepto-data") - partition < MIB
    assert "/dev/vda6 /var/lib/hepto ext4" in machine.sh("cat /proc/mounts")
    assert machine.sh("ls /sys/class/block").split().count("vdb") == 0, "it has one disk"


def test_the_esp_is_there_to_be_read(machine: Node) -> None:
    assert machine.sh("ls /run/hepto/esp/EFI/Linux").strip().startswith("hepto_")
    assert machine.run("/bin/sh", "-c", "echo x >/run/hepto/esp/x").status != 0


def test_the_key_came_by_smbios(machine: Node) -> None:
    assert sources(machine)["key"]["source"] == "an SMBIOS credential"


def test_nothing_is_compiled_at_this_boot_either(machine: Node) -> None:
    assert json.loads(machine.connection.read("one", "/run/hepto/boot.json"))["compiled"] == 0


def test_a_reboot_finds_the_same_node(machine: Node) -> None:
    authority = machine.status()["authority"]
    boots = machine.view()["boots"]

    machine.run("/usr/bin/hepto", "service", "reboot")
    machine.connection.wait_for("one", lambda seen: seen["boots"] == boots + 1 and seen["channel"], BOOT_LIMIT)
    machine.wait_ready()

    assert machine.status()["authority"] == authority
    assert machine.started_again() == {}


def test_damage_that_is_found_while_it_runs_halts_it_and_is_named(machine: Node) -> None:
    """A bit behind the end of the EROFS, which nothing reads by itself."""
    block = 400 * MIB // 4096
    switch_off(machine)
    flip(machine, place("hepto_") + block * 4096)
    begin_anew(machine)
    boots = machine.view()["boots"]

    machine.run("/bin/sh", "-c", f"dd if=/dev/dm-0 of=/dev/null bs=4096 skip={block} count=1")

    machine.wait_console(f"the root file system is damaged: block {block} is not what its root hash names")
    machine.wait_console("System halted")
    throughout(lambda: machine.view()["boots"] == boots and machine.view()["on"], "it stays as it is", 10)


def test_a_root_that_cannot_be_started_is_refused_by_name(machine: Node) -> None:
    """A bit of the first block, which every mount reads."""
    switch_off(machine)
    flip(machine, place("hepto_") + 1024)
    length, boots = len(machine.console()), machine.view()["boots"]
    machine.connection.power("one", "on")

    def said() -> str:
        return machine.console()[length:]

    eventually(lambda: "hepto: the root file system on /dev/vda2 is damaged" in said(), "it says so", BOOT_LIMIT, said)

    assert "data block 0 is corrupted" in said(), "and the kernel which block it was"
    assert f"roothash={disk_of_the_image()['roothash']}" in said()
    throughout(lambda: machine.view()["boots"] == boots + 1 and machine.view()["on"], "it does not begin anew", 20)
    assert not machine.view()["channel"]
    switch_off(machine)


@pytest.mark.long
def test_a_uki_boots_with_its_configuration_from_smbios_only() -> None:
    boot.check_image(harness.image(), plan.files("uki"))
    lab, key = harness.planned("uki", format="uki", memory=1024, options=("hepto.debug=no-kube",))
    with harness.running(lab, key) as nodes:
        node = nodes["one"]
        node.wait_ready(BOOT_LIMIT)

        assert "root" not in {word.partition("=")[0] for word in node.sh("cat /proc/cmdline").split()}
        mounts = [line.split() for line in node.sh("cat /proc/mounts").splitlines()]
        assert next(line[0::2] for line in mounts if line[1] == "/")[:2] == ["/dev/loop0", "erofs"]
        assert "hepto:" not in node.console(), "stage 0 has nothing to complain of"
        assert sources(node)["key"]["source"] == "an SMBIOS credential"
        assert sources(node)["cluster"] == {"value": "demo", "source": "the kernel command line"}


@pytest.mark.long
def test_files_in_the_esp_configure_a_node_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    lab, key = harness.planned("esp", format="disk", memory=1024, options=("hepto.debug=no-kube",))
    lab = dataclasses.replace(lab, nodes=tuple(dataclasses.replace(node, credentials=()) for node in lab.nodes))
    with harness.running(lab) as nodes:
        node = nodes["one"]
        node.wait_console("hepto.key is missing", BOOT_LIMIT)
        switch_off(node)
        put(node, tmp_path, "hepto.conf", f"key={key}\nport=7999\n")
        begin_anew(node)
        node.wait_ready(BOOT_LIMIT)

        found = sources(node)
        assert [found[name]["source"] for name in ("key", "port")] == ["hepto.conf on the ESP"] * 2
        assert found["port"]["value"] == "7999"
        assert node.sh("stat -c %a /run/credentials/esp/hepto.conf").strip() == "400"

        switch_off(node)
        put(node, tmp_path, "hepto.conf", f"key={key}\ncluster=other\n")
        begin_anew(node)
        node.wait_console("contradicts hepto.cluster=other from hepto.conf on the ESP")


@pytest.mark.long
def test_a_volume_of_a_cloud_configures_a_node(tmp_path: Path) -> None:
    """NoCloud: an ISO 9660 file system labelled cidata, here on the only disk."""
    options = ("hepto.data-disk=memory", "hepto.debug=no-kube")
    lab, key = harness.planned("cidata", memory=1024, disk_from=str(tmp_path / "cidata.iso"), options=options)
    lab = dataclasses.replace(lab, nodes=tuple(dataclasses.replace(node, credentials=()) for node in lab.nodes))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/user-data").write_text("#hepto\nport = 7999\n")
    (tmp_path / "files/hepto.key.cred").write_text(key)
    tools(tmp_path).run("xorriso", "-as", "mkisofs", "-r", "-V", "cidata", "-o", "cidata.iso", "files")
    with harness.running(lab) as nodes:
        node = nodes["one"]
        node.wait_ready(BOOT_LIMIT)

        found = sources(node)
        assert found["port"] == {"value": "7999", "source": "user-data on the volume cidata"}
        assert found["key"]["source"] == "a credential on the volume cidata"
        assert node.sh("stat -c %a /run/credentials/cidata/*").split() == ["400", "400"]
        assert "iso9660" not in node.sh("cat /proc/mounts"), "it was read, and is not needed any more"


def tools(work: Path) -> Toolbox:
    """Programs of the tree of tools, with this directory as theirs."""
    cache = cache_directory()
    return Toolbox(Builder(cache, ensure_mkosi(cache)).tools(), work, 1)


def put(node: Node, work: Path, name: str, text: str) -> None:
    """A file into the ESP of its disk."""
    (work / name).write_text(text)
    with Path(node.view()["data"]).open("rb") as disk:
        disk.seek(place("hepto-esp"))
        (work / "esp").write_bytes(disk.read(512 * MIB))
    tools(work).run("mcopy", "-o", "-i", "esp", name, "::")
    with Path(node.view()["data"]).open("r+b") as disk:
        disk.seek(place("hepto-esp"))
        disk.write((work / "esp").read_bytes())
