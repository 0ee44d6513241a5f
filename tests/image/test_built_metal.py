"""The image for servers: built when a long test wants it."""

import json
from pathlib import Path

import pytest

from image.erofs import File
from image.modules import name_of
from image.profile import METAL
from tests import metal
from tests.image.conftest import files_of

pytestmark = [pytest.mark.image, pytest.mark.long, pytest.mark.timeout(1800)]

DRIVERS = (
    *("ahci", "nvme", "mmc_block", "sdhci_pci", "usb_storage", "uas", "megaraid_sas", "mpt3sas", "smartpqi", "hpsa"),
    *("e1000e", "igb", "ixgbe", "i40e", "ice", "tg3", "bnxt_en", "mlx5_core", "r8169", "r8152", "atlantic", "ena"),
    *("xhci_pci", "ehci_pci", "usbhid", "hid_generic", "sr_mod", "isofs", "virtio_net", "vmxnet3", "hv_netvsc"),
    *("wireguard", "dm_verity", "overlay", "nft_ct", "br_netfilter", "iTCO_wdt", "ipmi_si"),
)


@pytest.fixture(scope="module")
def files() -> dict[str, File]:
    return files_of(metal.image())


def test_it_has_the_full_kernel_and_says_so() -> None:
    manifest = json.loads((metal.image() / "manifest.json").read_text())

    assert manifest["profile"] == METAL.name
    assert "cloud" not in manifest["kernel"]
    assert METAL.kernel in {package["name"] for package in manifest["packages"]}


def test_drivers_of_servers_are_there(files: dict[str, File]) -> None:
    present = {name_of(path) for path in files if path.endswith(".ko")}

    assert sorted(set(DRIVERS) - present) == []


def test_desktops_have_to_do_without(files: dict[str, File]) -> None:
    folders = {"/".join(path.split("/")[5:7]) for path in files if path.endswith(".ko")}

    assert folders & {"drivers/gpu", "drivers/media", "drivers/bluetooth", "sound/core", "net/wireless"} == set()


def test_it_takes_no_more_than_a_fifth_more_than_that_for_virtual_machines(image: Path) -> None:
    sizes = [(directory / "root.erofs").stat().st_size for directory in (metal.image(), image)]

    assert sizes[0] < 1.2 * sizes[1]
