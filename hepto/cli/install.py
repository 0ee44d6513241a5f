"""`hepto install`: a node on a disk of this machine, from the installation medium that it was started from."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hepto.cli.flags import option_flags
from hepto.cli.output import print_json, print_table
from hepto.errors import UserError
from hepto.given import Given
from hepto.install import driver, layout, settings
from hepto.install.layout import Disk, Layout
from hepto.sources import read_volumes
from init.contract.sizes import human

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

WITHOUT = ("debug", "data", "data-disk", "info")
"""PID 1 wants them on the command line, which an installed node's UKI has; or they mean nothing here."""


@click.command()
@click.argument("disk", required=False)
@click.option("--erase", metavar="SERIAL", help="Erase all that is on the disk with this serial number.")
@click.option("--json", "as_json", is_flag=True, help="List the disks as JSON.")
@option_flags(without=WITHOUT)
def command(disk: str | None, erase: str | None, as_json: bool, givens: list[Given]) -> None:
    """Install a node on DISK, a device or a serial number; without DISK list the disks.

    Works on a machine that was started from the ISO image. A disk that is not blank is erased only if its serial number
    is typed, or given. The node's configuration is that of a volume labelled hepto-conf or cidata, outranked by flags;
    it is written to the disk's ESP, where it can be changed later.

    \b
    Examples:
      hepto install
      hepto install /dev/sda --cluster demo --key @/tmp/key
      hepto install nvme0n1 --erase S4EVNX0R123456
    """
    medium = driver.medium()
    found = driver.found()
    if disk is None:
        show(found, medium, as_json=as_json)
        return
    files = settings.files([*givens, *read_volumes()])
    chosen = layout.choose(found, disk)
    layout.check(chosen, medium)
    layout.confirm(chosen, asked(chosen) if erase is None and sys.stdin.isatty() else erase)
    for warning in files.warnings:
        click.echo(f"warning: {warning}", err=True)
    label = f"hepto {medium.version} to {chosen.device}"
    bar: ProgressBar[int]
    with click.progressbar(length=driver.work(medium), label=label, file=sys.stderr) as bar:
        driver.write(chosen, medium, bar.update)
    driver.configure(chosen, files.content)
    click.echo(f"hepto {medium.version} is installed on {chosen.describe()}.")
    click.echo(f"Its configuration: {', '.join(files.taken) or 'none'}.")
    if not files.has_key:
        click.echo("It has no key: give it one by SMBIOS, fw_cfg or a volume, or put it on the ESP (docs/images.md).")
    click.echo("Take the medium out, and start the machine anew: hepto service reboot")


def show(found: Sequence[Disk], medium: Layout, *, as_json: bool) -> None:
    if as_json:
        print_json([vars(disk) for disk in found])
        return
    if not found:
        raise UserError("this machine has no disk", "attach one; “dmesg” shows what the kernel has found")
    rows = [
        (disk.device, human(disk.size), disk.model or "-", disk.serial or "-", _state(disk, medium)) for disk in found
    ]
    print_table(("disk", "size", "model", "serial", "what is on it"), rows)


def _state(disk: Disk, medium: Layout) -> str:
    content = disk.content or "blank"
    if disk.in_use:
        return f"{content} (in use)"
    return f"{content} (too small)" if disk.size < medium.needed else content


def asked(disk: Disk) -> str | None:
    """The serial number that a person types, if there is something to lose."""
    if not disk.content:
        return None
    click.echo(f"{disk.describe()} is not blank: {disk.content}", err=True)
    answer: str = click.prompt("Its serial number, to erase all of that", default="", show_default=False, err=True)
    return answer.strip()
