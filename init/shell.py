"""A root shell on a terminal, for an installation medium: nobody is kept from a machine that they can boot anyway.

Run as a service of its own for each terminal of the machine's console, so it is there again when somebody leaves it.
"""

import fcntl
import json
import os
import termios

from init.contract import paths

ACTIVE = "/sys/class/tty/console/active"
SCREEN = "tty0"
"""The kernel's name of the terminal that is shown; a shell needs a certain one."""
SHELL = "/bin/sh"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "TERM": "linux", "PS1": "# "}
GREETING = (
    "\n\nhepto {version}: an installation medium. Nothing of this machine is changed before you say so.\n"
    "  hepto install          lists the disks\n"
    "  hepto install --help   tells how to install a node\n"
)


def terminals(root: str = "") -> tuple[str, ...]:
    """Those that the kernel's console is on (`console=`)."""
    try:
        with open(root + ACTIVE, encoding="ascii") as file:
            names = file.read().split()
    except OSError:
        return ()
    return tuple("tty1" if name == SCREEN else name for name in names)


def version(root: str = "") -> str:
    """Of the image; "" if it does not say."""
    try:
        with open(root + paths.IMAGE, encoding="utf-8") as file:
            return str(json.load(file)["version"])
    except (OSError, ValueError, KeyError):
        return ""


def main(terminal: str) -> None:
    """Become the shell. Raises OSError where there is no such terminal."""
    descriptor = os.open(f"/dev/{terminal}", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)  # a service leads a session, and Ctrl-C is for what it runs
    for number in (0, 1, 2):
        os.dup2(descriptor, number)
    os.write(1, GREETING.format(version=version()).encode())
    os.execve(SHELL, ("-sh",), ENVIRONMENT)
