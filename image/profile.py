"""What the kernel of an image is for: the profiles of `hepto build --profile`. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A kernel of Debian's, and which of its modules an image has."""

    name: str
    kernel: str
    """The package."""
    drivers: str = ""
    """What is kept of drivers/: globs (without .ko.xz), with comments. "": all that image/spec.py does not drop."""
    drop: str = ""
    """What is dropped besides, below kernel/."""
    disks: str = ""
    """Drivers that stage 0 has besides for a verified root on a disk of the machine, by name."""

    def kept(self) -> tuple[str, ...]:
        """The globs of `drivers`, below kernel/."""
        return tuple(f"drivers/{glob}" for glob in _globs(self.drivers))

    def dropped(self) -> tuple[str, ...]:
        """The globs of `drop`."""
        return _globs(self.drop)

    def entry(self, kind: str) -> str:
        """The folder of the cache for what is of this kind: each profile keeps its own, for each kind has a limit."""
        return kind if self.name == "vm" else f"{kind}-{self.name}"


def _globs(text: str) -> tuple[str, ...]:
    return tuple(glob for line in text.splitlines() if not line.startswith("#") for glob in line.split())


VM = Profile("vm", "linux-image-cloud-amd64")

# Of 3,700 drivers of the full kernel those of disks, networks, USB and what a server is looked after by; and those of
# virtual machines, for the same image is tried out in one. No firmware is in an image, so a card that cannot do without
# is not served (bnx2, bnx2x, qla2xxx). Letters on a screen need no driver: the kernel writes into the frame buffer that
# firmware leaves (CONFIG_FB_EFI).
METAL_DRIVERS = """\
# disks: SATA, NVMe (also behind Intel's VMD), eMMC and SD, UFS, memory that lasts
ata/*ahci ata/ata_* ata/sata_*
nvme/host/nvme nvme/host/nvme-core nvme/host/nvme-fabrics nvme/host/nvme-tcp nvme/common/*
pci/controller/vmd pci/hotplug/* pci/pci-*stub
mmc/core/* mmc/host/*sdhci* mmc/host/cqhci ufs/core/* ufs/host/* nvdimm/* acpi/nfit/*
# SCSI and RAID
message/fusion/* scsi/3w-* scsi/aacraid/* scsi/arcmsr/* scsi/hpsa scsi/isci/* scsi/megaraid/* scsi/mpi3mr/*
scsi/mpt3sas/* scsi/mvsas/* scsi/mvumi scsi/pm8001/* scsi/smartpqi/* scsi/s[dr]_mod scsi/sg scsi/ses scsi/scsi_[mct]*
scsi/iscsi_tcp
# Ethernet
net/ethernet/amazon/* net/ethernet/amd/* net/ethernet/aquantia/* net/ethernet/atheros/* net/ethernet/broadcom/bnxt/*
net/ethernet/broadcom/tg3 net/ethernet/broadcom/b44 net/ethernet/chelsio/cxgb4* net/ethernet/cisco/*
net/ethernet/emulex/* net/ethernet/google/* net/ethernet/huawei/* net/ethernet/intel/* net/ethernet/jme
net/ethernet/marvell/* net/ethernet/mellanox/* net/ethernet/microchip/* net/ethernet/microsoft/* net/ethernet/myricom/*
net/ethernet/netronome/* net/ethernet/nvidia/* net/ethernet/pensando/* net/ethernet/qlogic/qede/* net/ethernet/realtek/*
net/ethernet/sfc/* net/ethernet/stmicro/* net/ethernet/via/* net/mdio/* net/phy/*
# Ethernet by USB
net/usb/a[qsx]* net/usb/cdc_e* net/usb/cdc_ncm net/usb/lan78xx net/usb/r815* net/usb/rtl8150 net/usb/smsc*
net/usb/rndis_host net/usb/sr9*
# virtual networks, those of pods among them
net/bonding/* net/team/* net/ppp/* net/vxlan/* net/wireguard/* net/ip* net/macv* net/macsec net/vrf net/veth net/tap
net/tun net/dummy net/geneve net/gtp net/ifb net/net* net/nlmon net/vsockmon
# USB: hosts, disks, keyboards
usb/core/* usb/common/* usb/host/[eoux]hci* usb/storage/usb-storage usb/storage/uas
hid/hid hid/hid-generic hid/usbhid/* hid/hid-apple hid/hid-cherry hid/hid-lenovo hid/hid-logitech* hid/hid-microsoft
# the machine: power, time, temperature, errors, watchdogs
acpi/button acpi/fan acpi/acpi_ipmi acpi/acpi_pad acpi/apei/* input/evdev rtc/* watchdog/* char/hw_random/* char/ipmi/*
char/tpm/* char/ttyprintk cpufreq/* edac/* ras/* hwmon/coretemp hwmon/k10temp iommu/* pps/* ptp/* powercap/*
crypto/ccp/* thermal/intel/x86_pkg_temp_thermal tty/serial/8250/* firmware/efi/* firmware/edd
# virtual machines, hosts of them, storage of clusters
block/loop block/nbd block/rbd block/ublk_drv block/virtio_blk block/xen-blkfront block/brd block/zram/*
crypto/virtio/* firmware/qemu_fw_cfg hid/hid-hyperv hv/* misc/pvpanic/* misc/vmw_* net/hyperv/* net/virtio_net
net/vmxnet3/* net/xen-netfront pci/controller/pci-hyperv* pci/xen-pcifront scsi/hv_storvsc scsi/virtio_scsi
scsi/vmw_pvscsi scsi/xen-scsifront vfio/* vhost/vhost vhost/vhost_[inv]* virt/* virtio/* xen/*
input/serio/hyperv-keyboard
# device mapper
md/dm-[bcdefimqsuwz]* md/dm-log* md/dm-r[eo]* md/dm-thin* md/dm-verity md/persistent-data/*
"""

METAL_DROP = """\
# file systems of other systems, and of clusters that are not this one
fs/9p/* fs/adfs/* fs/affs/* fs/afs/* fs/befs/* fs/bfs/* fs/coda/* fs/dlm/* fs/ecryptfs/* fs/efs/* fs/f2fs/*
fs/freevxfs/* fs/gfs2/* fs/hfs/* fs/hfsplus/* fs/hpfs/* fs/jffs2/* fs/jfs/* fs/minix/* fs/nilfs2/* fs/ocfs2/* fs/omfs/*
fs/qnx4/* fs/qnx6/* fs/reiserfs/* fs/ubifs/* fs/ufs/* fs/vboxsf/*
# radio, cars, and networks of old
net/6lowpan/* net/9p/* net/appletalk/* net/atm/* net/ax25/* net/batman-adv/* net/bluetooth/* net/can/* net/hsr/*
net/ieee802154/* net/lapb/* net/mac80211/* net/mac802154/* net/netrom/* net/nfc/* net/phonet/* net/qrtr/* net/rfkill/*
net/rose/* net/rxrpc/* net/wireless/*
"""

METAL_DISKS = """\
nvme vmd mmc_block sdhci_pci sdhci_acpi ufshcd_pci xhci_pci ehci_pci ohci_pci uhci_hcd usb_storage uas sr_mod aacraid
arcmsr hpsa isci megaraid_sas mpi3mr mpt3sas mptsas mptspi mvsas mvumi pm80xx smartpqi sata_mv sata_nv sata_sil24
sata_via
"""

METAL = Profile(
    "metal",
    "linux-image-amd64",
    METAL_DRIVERS,
    METAL_DROP,
    METAL_DISKS,
)
PROFILES = {profile.name: profile for profile in (VM, METAL)}
