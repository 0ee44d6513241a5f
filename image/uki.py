"""Unified kernel images: kernel, initramfs and command line in one file that firmware starts, made by ukify.

The sections are those of the UAPI group's specification of unified kernel images; systemd-stub(7) says what the stub
does with them, and which further words, credentials and add-ons it takes from SMBIOS and from the ESP.
"""

from collections.abc import Sequence

CONSOLES = ("console=tty0", "console=ttyS0")
"""The last one that is there is /dev/console, too: clouds and hypervisors show the serial line."""
STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
LOADER_SETTINGS = "timeout 0\n"
"""loader.conf(5): there is nothing to choose yet; a key held down shows the menu all the same."""


def disk_words(roothash: str) -> tuple[str, ...]:
    """The command line of the UKI in a disk's ESP."""
    return (f"roothash={roothash}", *CONSOLES, "quiet")


def file_words() -> tuple[str, ...]:
    """The command line of the UKI that holds its root: a ramfs, for a tmpfs takes no more than half of the memory."""
    return ("rootfstype=ramfs", *CONSOLES, "quiet")


def medium_words(roothash: str, label: str) -> tuple[str, ...]:
    """The command line of the UKI of an installation medium: nothing of the machine is touched, and no node is run."""
    slow = "rootwait=30"  # a stick may take its time
    own = ("hepto.data-disk=memory", "init.install")
    return (f"roothash={roothash}", f"root=LABEL={label}", slow, *own, *CONSOLES, "quiet")


def os_release(version: str) -> str:
    """What boot loaders show and sort by (os-release(5))."""
    return (
        f'ID=hepto\nNAME=hepto\nPRETTY_NAME="hepto {version}"\n'
        f"VERSION_ID={version}\nIMAGE_ID=hepto\nIMAGE_VERSION={version}\n"
    )


def file_name(version: str) -> str:
    """In EFI/Linux, as systemd-boot sorts and systemd-sysupdate names them; a count of tries would follow a `+`."""
    return f"hepto_{version}.efi"


def ukify(
    *, kernel: str, release: str, version: str, stub: str, initrds: Sequence[str], words: Sequence[str], output: str
) -> tuple[str, ...]:
    """The command. Paths are those that ukify sees; `kernel` is the file, `release` what uname says of it."""
    return (
        *("ukify", "build", f"--linux={kernel}", *(f"--initrd={path}" for path in initrds)),
        *(f"--cmdline={' '.join(words)}", f"--os-release={os_release(version)}", f"--uname={release}"),
        *(f"--stub={stub}", f"--output={output}"),
    )
