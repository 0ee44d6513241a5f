"""The system calls of a container's making that Python 3.11 lacks. A second place for ctypes beside init/linux.py.

PID 1 needs none of them, and every line there is part of its start. Promises: a failure is an OSError; nothing is
remembered.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator

# include/uapi/linux/sched.h
NEW_MOUNTS, NEW_CGROUPS, NEW_UTS, NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEW_PIDS, NEW_NETWORK = 0x20000000, 0x40000000

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
"""arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h: the C library has no such call."""
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int) -> None:
    """Give this process namespaces of its own (unshare(2))."""
    _check(_libc.unshare(ctypes.c_int(kinds)), "unshare")


def pivot_root(new: str, old: str) -> None:
    """Make `new`, a mount point, the root, and mount the old one at `old` (pivot_root(2))."""
    machine = os.uname().machine
    if machine not in _PIVOT_ROOT:
        raise OSError(f"pivot_root on {machine} is not known")
    number = ctypes.c_long(_PIVOT_ROOT[machine])
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), new)


@contextlib.contextmanager
def entered_network(descriptor: int) -> Iterator[None]:
    """Within the block this thread is in that network namespace: a socket that is made there stays there."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(descriptor)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def _setns(descriptor: int) -> None:
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(NEW_NETWORK)), "setns")


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
