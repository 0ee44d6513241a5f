"""The ISO image: a machine is started from it as a CD and as a USB stick, and a node is installed on its disk."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hepto.lab import boot, plan
from tests import metal
from tests.vm import harness
from tests.vm.harness import Node

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(2400, func_only=True)]

BOOT_LIMIT = 600.0
HEPTO = "/usr/bin/hepto"
EDGES = "dd if=/dev/vda bs=1M count=4 2>/dev/null | sha256sum; tail -c 1M /dev/vda | sha256sum"
"""Where both partition tables are, and the ESP begins."""


@contextmanager
def started(name: str, form: str) -> Iterator[Node]:
    """A machine with a blank disk and the medium, on which its shells are up. It has been given no key."""
    image = boot.check_image(metal.image(), plan.files(form))
    wish = plan.Wish(name=name, image=str(image), format=form, memory=1024, options=("hepto.debug=no-kube",))
    with harness.running(plan.lab(wish, harness.qemu(image), None)) as nodes:
        node = nodes["one"]
        node.wait_ready(BOOT_LIMIT)  # of a medium: it is up
        yield node


def refused(node: Node, *words: str) -> str:
    """`hepto install` with these words, which has to refuse in two lines and change nothing; the lines."""
    before = node.sh(EDGES)
    done = node.run(HEPTO, "install", *words)

    error = done.stderr.decode()
    assert (done.status, done.text, len(error.splitlines())) == (2, "", 2), error
    assert node.sh(EDGES) == before
    return error


def disks(node: Node) -> dict[str, dict[str, object]]:
    """What `hepto install` says of each disk."""
    return {disk["device"]: disk for disk in json.loads(node.run(HEPTO, "install", "--json").stdout)}


def test_a_cd_installs_a_node_that_starts_from_its_disk() -> None:
    with started("install", "iso") as node:
        words = node.sh("cat /proc/cmdline").split()
        root = next(line.split() for line in node.sh("cat /proc/mounts").splitlines() if line.split()[1] == "/")
        assert root[:3] == ["/dev/dm-1", "/", "erofs"], "verified on the medium, too"
        assert "agent" not in node.services()
        assert disks(node)["/dev/vda"]["content"] == "", "nothing has been made of the only blank disk"
        assert "blank" in node.run(HEPTO, "install").text

        assert "--port=x" in refused(node, "vda", "--port", "x")
        assert "there is no disk sda" in refused(node, "sda")
        key = secrets.token_hex(32)
        done = node.run(
            *(HEPTO, "install", "vda", "--cluster", "demo", "--port", "7999", "--key", "-"), stdin=key.encode()
        )
        assert done.status == 0, done.stderr
        assert "is installed on /dev/vda (8.0 GiB, serial lab-data)" in done.text
        assert key not in done.text + done.stderr.decode()

        assert "is not blank: 6 partitions: hepto-esp, hepto_" in refused(node, "lab-data")
        assert "nonsense is not the serial number" in refused(node, "vda", "--erase", "nonsense")
        roothash = next(word for word in words if word.startswith("roothash="))
        boots = node.view()["boots"]
        node.run(HEPTO, "service", "reboot")
        node.connection.wait_for("one", lambda seen: seen["boots"] == boots + 1 and seen["channel"], BOOT_LIMIT)
        node.wait_ready(BOOT_LIMIT)

        words = node.sh("cat /proc/cmdline").split()
        assert roothash in words
        assert "init.install" not in words
        found = json.loads(node.run(HEPTO, "info", "--machine", "--json").stdout)["options"]
        assert found["key"]["source"] == "a credential on the ESP"
        assert found["port"] == {"value": "7999", "source": "hepto.conf on the ESP"}
        assert "/dev/vda6 /var/lib/hepto ext4" in node.sh("cat /proc/mounts")
        assert node.status()["ready"]


def test_a_stick_starts_as_well_and_is_never_installed_on() -> None:
    with started("stick", "usb") as node:
        found = disks(node)

        assert found["/dev/sda"]["in_use"]
        assert found["/dev/sda"]["model"] == "QEMU HARDDISK"
        done = node.run(HEPTO, "install", "sda", "--erase", str(found["/dev/sda"]["serial"]))
        assert done.status == 1
        assert "is in use: this machine runs from it" in done.stderr.decode()
        assert "an installation medium" in node.console(), "a shell waits on the terminal"
