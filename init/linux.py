"""System calls that the standard library lacks, each behind a function that raises OSError with the path in it.

The only importer of ctypes and of sockets in init. Promises: no call here blocks, but `wait_for_signal` (the rescue
loop's last resort); a failure is always OSError. Must not know anything of services or phases.

Sockets come from `_socket`, the C half of `socket`: the Python half costs 6 ms of start-up (enum tables, selectors), an
eighth of what PID 1 needs in all, and gives nothing that a non-blocking loop wants.
"""

import _socket
import ctypes
import fcntl
import os
import signal
import struct
import time
from typing import NamedTuple

Socket = _socket.socket

# Numbers of include/uapi/linux/{mount,reboot,prctl,capability,inotify,netlink,watchdog}.h (Linux 6.12): ABI.
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC = 32, 4096, 8192, 16384
MS_NOATIME = 1024
MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_RELATIME = 1 << 18, 1 << 19, 1 << 20, 1 << 21
MNT_FORCE, MNT_DETACH, UMOUNT_NOFOLLOW = 1, 2, 8
REBOOT_RESTART, REBOOT_POWER_OFF, REBOOT_HALT, REBOOT_CAD_OFF = 0x01234567, 0x4321FEDC, 0xCDEF0123, 0
_PR_SET_KEEPCAPS, _PR_SET_NAME, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 15, 24, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_SFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # SFD_NONBLOCK and SFD_CLOEXEC are these (signalfd.h)
_SIGNALFD_SIZE, _SIG_SETMASK = 128, 2
IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
_NETLINK_KOBJECT_UEVENT, _SO_RCVBUFFORCE = 15, 33
_FIONREAD = 0x541B
# asm-generic/unistd.h: new calls have the same number on all architectures.
_SYS_CLONE3, _CLONE_INTO_CGROUP = 435, 0x200000000
_WDIOC_SETTIMEOUT = 0xC0045706  # _IOWR('W', 6, int)
_SO_PASSCRED, _SO_PEERCRED, _SCM_CREDENTIALS = 16, 17, 2

# In the order of capability.h: the place is the number.
_CAPABILITY_NAMES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
    SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
    MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = {f"CAP_{name}": bit for bit, name in enumerate(_CAPABILITY_NAMES.split())}

_libc = ctypes.CDLL(None, use_errno=True)
# Calls through this one keep the interpreter's lock: clone3 returns twice, and the child has no thread to give it.
_locked_libc = ctypes.PyDLL(None, use_errno=True)


def _check(result: int, path: str = "") -> int:
    """The one place where errno becomes an exception."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *((path,) if path else ()))
    return result


def now() -> float:
    """Seconds on CLOCK_BOOTTIME: monotonic, counts suspended time, the same for all processes of a machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# -- mounts and the machine --------------------------------------------------------------------------------------------


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). An empty kind or data is passed as NULL."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data else None,
    )
    _check(result, target)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2). May take long on a busy disk: only in a child with a time limit."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(flags)), target)


def reboot(command: int) -> None:
    """reboot(2), by libc's call with one argument. Returns only for REBOOT_CAD_OFF."""
    _check(_libc.reboot(ctypes.c_int(command & 0xFFFFFFFF if command < 1 << 31 else command - (1 << 32))))


def set_process_name(name: str) -> None:
    """What ps and the kernel's messages call this process (15 bytes)."""
    _check(_libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0))


# -- capabilities ------------------------------------------------------------------------------------------------------


def keep_capabilities() -> None:
    """Let the permitted set survive the coming change of user."""
    _check(_libc.prctl(_PR_SET_KEEPCAPS, ctypes.c_ulong(1), 0, 0, 0))


def drop_bounding(kept: frozenset[int]) -> None:
    """Take everything but `kept` out of the bounding set, up to the last capability the kernel knows."""
    for bit in range(64):
        if bit not in kept and _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(bit), 0, 0, 0) == -1:
            if ctypes.get_errno() == 22:  # EINVAL: the kernel has no more
                return
            _check(-1)


def set_capabilities(kept: frozenset[int], *, ambient: bool) -> None:
    """Make `kept` the permitted, effective and inheritable set; `ambient` too, so that another user's exec keeps it."""
    words = [0, 0]
    for bit in kept:
        words[bit // 32] |= 1 << bit % 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = b"".join(struct.pack("=III", word, word, word) for word in words)
    _check(_libc.capset(header, data))
    if ambient:
        raising, nothing = ctypes.c_ulong(_PR_CAP_AMBIENT_RAISE), ctypes.c_ulong(0)
        for bit in kept:
            _check(_libc.prctl(_PR_CAP_AMBIENT, raising, ctypes.c_ulong(bit), nothing, 0))


# -- signals -----------------------------------------------------------------------------------------------------------


def signalfd() -> int:
    """A descriptor that yields every signal (they must be blocked)."""
    mask = (ctypes.c_ubyte * 128)(*([0xFF] * 128))
    return _check(_libc.signalfd(-1, mask, _SFD_FLAGS))


def read_signals(descriptor: int) -> list[tuple[int, int]]:
    """The signals that have arrived, each with the pid of who sent it or, for SIGCHLD, has died; [] if none."""
    try:
        data = os.read(descriptor, 32 * _SIGNALFD_SIZE)
    except BlockingIOError:
        return []
    return [struct.unpack_from("=I8xI", data, at) for at in range(0, len(data), _SIGNALFD_SIZE)]


PERHAPS_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""By Python the first two; the others by whoever started the PID 1 of a container: nohup, a shell in the background."""


def default_signals() -> None:
    """Dispositions and mask as a program expects them; PID 1 blocks everything.

    Not by the module `signal`, which makes an enum of each of 64 signals, between every fork and exec.
    """
    for number in PERHAPS_IGNORED:
        _libc.signal(ctypes.c_int(number), None)  # SIG_DFL is 0
    _check(_libc.sigprocmask(_SIG_SETMASK, (ctypes.c_ubyte * 128)(), None))


# -- inotify -----------------------------------------------------------------------------------------------------------


def inotify(path: str, events: int) -> int:
    """A non-blocking descriptor that becomes readable when one of `events` happens in directory or file `path`."""
    descriptor = _check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    try:
        _check(_libc.inotify_add_watch(descriptor, os.fsencode(path), ctypes.c_uint32(events)), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def drain(descriptor: int) -> bool:
    """Read and forget what a non-blocking descriptor holds, up to 1 MiB. True if there was something."""
    some = False
    for _ in range(16):
        try:
            if not os.read(descriptor, 65536):
                return some
        except BlockingIOError:
            return some
        some = True
    return some


# -- sockets -----------------------------------------------------------------------------------------------------------


class Credentials(NamedTuple):
    """Who is at the other end, as the kernel says."""

    pid: int
    uid: int
    gid: int


def _bound(kind: int, path: str, mode: int) -> Socket:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = Socket(_socket.AF_UNIX, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC, 0)
    try:
        sock.bind(path)
        os.chmod(path, mode)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, path) from None
    return sock


def seqpacket_server(path: str) -> Socket:
    """A listening SOCK_SEQPACKET socket at `path`, for root only, replacing what was there."""
    sock = _bound(_socket.SOCK_SEQPACKET, path, 0o600)
    sock.listen(16)
    return sock


def accept(server: Socket) -> tuple[Socket, Credentials] | None:
    """The next client, non-blocking, with its credentials; None if there is none."""
    try:
        # The C type has no public accept().
        descriptor, _address = server._accept()  # type: ignore[attr-defined]  # noqa: SLF001
    except (BlockingIOError, ConnectionAbortedError):
        return None
    try:
        client = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, fileno=descriptor)
    except BaseException:
        os.close(descriptor)  # the peer must see the end of it
        raise
    client.setblocking(False)
    size = struct.calcsize("=iII")
    return client, Credentials(*struct.unpack("=iII", client.getsockopt(_socket.SOL_SOCKET, _SO_PEERCRED, size)))


def notify_socket(path: str) -> Socket:
    """A datagram socket at `path` that tells who sent each message. Any user's service may send."""
    sock = _bound(_socket.SOCK_DGRAM, path, 0o666)
    sock.setsockopt(_socket.SOL_SOCKET, _SO_PASSCRED, 1)
    return sock


def receive_notification(sock: Socket, *, peek: bool = False) -> tuple[bytes, Credentials | None] | None:
    """The next message with its sender, left there to `peek`; None if there is none. Descriptors in it are closed."""
    try:
        data, ancillary, _flags, _address = sock.recvmsg(4096, 512, _socket.MSG_PEEK if peek else 0)
    except BlockingIOError:
        return None
    sender = None
    for level, kind, content in ancillary:
        if level != _socket.SOL_SOCKET:
            continue
        if kind == _SCM_CREDENTIALS and len(content) >= 12:
            sender = Credentials(*struct.unpack_from("=iII", content))
        elif kind == _socket.SCM_RIGHTS:
            for descriptor in struct.unpack(f"={len(content) // 4}i", content[: len(content) // 4 * 4]):
                os.close(descriptor)
    return data, sender


def unix_accepts(path: str) -> bool:
    """True if something listens on the Unix socket `path` (stream or seqpacket). Never waits: a full backlog counts."""
    for kind in (_socket.SOCK_STREAM, _socket.SOCK_SEQPACKET):
        sock = Socket(_socket.AF_UNIX, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC, 0)
        try:
            sock.connect(path)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno == 91:  # EPROTOTYPE: it is of the other kind
                continue
            return False
        else:
            return True
        finally:
            sock.close()
    return False


def adopt_socket(descriptor: int) -> Socket:
    """The socket behind a descriptor that came over exec, by a descriptor of its own, which no child gets."""
    sock = Socket(fileno=os.dup(descriptor))
    sock.setblocking(False)
    return sock


def uevent_socket() -> Socket:
    """A socket that receives the kernel's uevents (not udev's: there is none)."""
    kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
    sock = Socket(_socket.AF_NETLINK, kind, _NETLINK_KOBJECT_UEVENT)
    try:
        sock.setsockopt(_socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
    except PermissionError:
        pass  # in a user namespace: the default size has to do
    sock.bind((0, 1))
    return sock


def receive_uevent(sock: Socket) -> dict[str, str] | None:
    """The next uevent as its variables (ACTION, DEVPATH, SUBSYSTEM, MODALIAS …); None if there is none.

    Raises OSError (ENOBUFS) when some were lost. A message not sent by the kernel is an empty dict.
    """
    try:
        data, _ancillary, _flags, address = sock.recvmsg(16384, 0)
    except BlockingIOError:
        return None
    if address[0] != 0:  # port id 0 is the kernel; any root process can send to the group
        return {}
    lines = data.decode(errors="replace").split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


# -- descriptors -------------------------------------------------------------------------------------------------------


def bytes_in(descriptor: int) -> int:
    """How many bytes wait in a pipe."""
    return int(struct.unpack("=i", fcntl.ioctl(descriptor, _FIONREAD, b"\0\0\0\0"))[0])


def set_pipe_size(descriptor: int, size: int) -> None:
    """F_SETPIPE_SZ."""
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)


def set_watchdog_timeout(descriptor: int, seconds: int) -> int:
    """Ask for a time-out; returns what the watchdog took."""
    answer = fcntl.ioctl(descriptor, _WDIOC_SETTIMEOUT, struct.pack("=i", seconds))
    return int(struct.unpack("=i", answer)[0])


def leave_standard_streams() -> None:
    """Point standard input, output and error to /dev/null: what Python may print must not wait for a console."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


# -- fork --------------------------------------------------------------------------------------------------------------


def fork_into(group: int, flags: int = 0) -> int:
    """fork(2) into the control group of directory descriptor `group` (clone3, CLONE_INTO_CGROUP, Linux 5.7); `flags`
    name new namespaces.

    Joining a group later moves a process, and a move waits for an RCU grace period: 58 ms were seen, against 3 ms for
    all the rest of a start. The C library knows nothing of this fork, so the child may do what it does to exec and no
    more.
    """
    arguments = struct.pack("=11Q", _CLONE_INTO_CGROUP | flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
    pid: int = _locked_libc.syscall(_SYS_CLONE3, arguments, len(arguments))
    return _check(pid) if pid == -1 else pid  # what a call raised behind a fork that went well would hide a child


# -- processes ---------------------------------------------------------------------------------------------------------


class Process(NamedTuple):
    """What /proc/PID/stat says that identifies a process: parent, session, and start in clock ticks since boot."""

    pid: int
    parent: int
    session: int
    started: int
    state: str


def process(pid: int, proc: str = "/proc") -> Process | None:
    """The process of that pid; None if there is none."""
    try:
        with open(f"{proc}/{pid}/stat", "rb") as file:
            data = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = data[data.rindex(b")") + 2 :].split()  # the name in parentheses may hold anything
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0].decode())


def command_line(pid: int, proc: str = "/proc") -> tuple[str, ...]:
    """The arguments of a process; () if there is none."""
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            return tuple(part.decode(errors="surrogateescape") for part in file.read().split(b"\0")[:-1])
    except (FileNotFoundError, ProcessLookupError):
        return ()


def kill(pid: int | None, number: int) -> bool:
    """Send a signal to one process. False if there is none (0 and below would be groups: never sent)."""
    if pid is None or pid <= 1:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
