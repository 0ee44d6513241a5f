"""Which modules a profile keeps, on made-up lists; what a built image has is looked at in test_built_metal.py."""

import pytest

from image import modules, spec
from image.profile import METAL, PROFILES, VM

KEPT = (
    *("drivers/ata/ahci", "drivers/nvme/host/nvme", "drivers/mmc/host/sdhci-pci", "drivers/scsi/megaraid/megaraid_sas"),
    *("drivers/net/ethernet/intel/ixgbe/ixgbe", "drivers/net/phy/marvell", "drivers/net/usb/r8152", "drivers/hid/hid"),
    *("drivers/usb/host/xhci-pci", "drivers/usb/storage/uas", "drivers/hid/usbhid/usbhid", "drivers/net/virtio_net"),
    *("drivers/md/dm-verity", "drivers/watchdog/iTCO_wdt", "fs/isofs/isofs", "fs/erofs/erofs", "net/bridge/bridge"),
)
DROPPED = (
    *("drivers/gpu/drm/amd/amdgpu/amdgpu", "drivers/net/wireless/intel/iwlwifi/iwlwifi", "drivers/bluetooth/btusb"),
    *("drivers/media/usb/uvc/uvcvideo", "drivers/hid/hid-sony", "drivers/usb/gadget/libcomposite", "sound/core/snd"),
    *("drivers/net/ethernet/broadcom/bnx2", "drivers/net/ethernet/3com/3c59x", "drivers/scsi/scsi_debug"),
    *("drivers/md/raid1", "drivers/md/dm-raid", "net/bluetooth/bluetooth", "net/wireless/cfg80211", "fs/ocfs2/ocfs2"),
    *("fs/nfsd/nfsd", "drivers/infiniband/core/ib_core"),
)


def kept(*names: str) -> set[str]:
    """Of these modules, which need no others, what the profile for servers keeps."""
    drop = [*(glob for glob, _ in spec.DROP_MODULES), *METAL.dropped()]
    stay = modules.kept({f"kernel/{name}.ko.xz": () for name in names}, drop, METAL.kept())
    return {path.removeprefix("kernel/").removesuffix(".ko.xz") for path in stay}


@pytest.mark.parametrize("name", KEPT)
def test_a_server_has_it(name: str) -> None:
    assert kept(name) == {name}


@pytest.mark.parametrize("name", DROPPED)
def test_a_server_does_without(name: str) -> None:
    assert kept(name) == set()


def test_a_driver_that_is_kept_brings_what_it_needs() -> None:
    needed = "kernel/drivers/infiniband/core/ib_core.ko.xz"
    user = "kernel/drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko.xz"

    assert modules.kept({user: (needed,), needed: ()}, (), METAL.kept()) == {user, needed}


def test_profiles_share_no_folder_of_the_cache() -> None:
    assert PROFILES == {"vm": VM, "metal": METAL}
    assert VM.entry("tree") == "tree"
    assert METAL.entry("tree") == "tree-metal"
