"""Starts processes: what is worked out before fork, and what the child does between fork and exec.

Promises: the parent never waits; a start that fails is told through a pipe as errno and the step that failed; the
child leaves with os._exit, whatever happens, so PID 1's loop never runs twice. `subprocess` is banned here: beside a
reaper that waits for all children it reports exit 0 for a command that failed.
"""

import errno
import grp
import os
import pwd
import resource
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from init import cgroups, linux

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Identity(NamedTuple):
    """Who a child is to be."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = (0,)
    home: str = "/"


class Launch(NamedTuple):
    """Everything a child needs, worked out before the fork so that little can fail after it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"
    identity: Identity = Identity()
    capabilities: frozenset[int] | None = None
    nofile: int | None = None
    oom_score_adj: int = 0
    cgroup: str = ""
    """The control group's directory; empty is the parent's."""
    log: str | int = ""
    """Standard output and error: a FIFO's path, opened by the child (its own open file: another's O_NONBLOCK would make
    writes fail), or a descriptor; empty is /dev/null."""


class Launched(NamedTuple):
    """A started process: its pid and the pipe that closes at exec or tells the error."""

    pid: int
    errors: int


class StartError(OSError):
    """A specification that cannot be started here: an unknown user, group or capability."""


def identity(user: str, groups: tuple[str, ...]) -> Identity:
    """Look up a user and groups by name."""
    try:
        entry = pwd.getpwnam(user or "root")
    except KeyError:
        if user:
            raise StartError(errno.ENOENT, f"no user {user} in /etc/passwd") from None
        entry = pwd.struct_passwd(("root", "", 0, 0, "", "/root", ""))
    numbers = []
    for name in groups:
        try:
            numbers.append(grp.getgrnam(name).gr_gid)
        except KeyError:
            raise StartError(errno.ENOENT, f"no group {name} in /etc/group") from None
    return Identity(entry.pw_uid, entry.pw_gid, (entry.pw_gid, *numbers), entry.pw_dir)


def capability_set(names: tuple[str, ...] | None) -> frozenset[int] | None:
    """Capabilities by name."""
    if names is None:
        return None
    unknown = [name for name in names if name not in linux.CAPABILITIES]
    if unknown:
        raise StartError(errno.EINVAL, f"no capability {unknown[0]}")
    return frozenset(linux.CAPABILITIES[name] for name in names)


def launch(what: Launch) -> Launched:
    """Fork and exec. Raises OSError when there is no process or descriptor to be had; nothing was started then."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    parent = os.getpid()
    try:
        pid, joined = _fork(what.cgroup)
        if pid == 0:
            _child(what, writer, joined)
    except BaseException:
        if os.getpid() != parent:  # raised in the child before its own guard: it must not go on as a second PID 1
            os._exit(127)
        os.close(reader)
        os.close(writer)
        raise
    os.close(writer)
    return Launched(pid, reader)


def _fork(cgroup: str) -> tuple[int, bool]:
    """Fork, into the control group if that can be; else the child has to join it (False)."""
    if not cgroup:
        return os.fork(), True
    group = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return linux.fork_into(group), True
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.ENOMEM):
            raise
        return os.fork(), False  # an old kernel, or a filter of system calls around a container
    finally:
        os.close(group)


def call(function: Callable[[], None], output: int) -> int:
    """Fork and run `function` in the child, its output and error going to `output`; exit code 1 if it raises."""
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            _run(function, output)
    except BaseException:
        if os.getpid() != parent:
            os._exit(1)
        raise
    return pid


def _run(function: Callable[[], None], output: int) -> NoReturn:
    code = 1
    try:
        _detach()
        for target in (1, 2):
            os.dup2(output, target)
        linux.default_signals()
        function()
        code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def exec_error(descriptor: int) -> tuple[int, str] | None:
    """What a start's pipe tells: None if exec went well (or has not happened yet), else errno and text."""
    try:
        data = os.read(descriptor, 4096)
    except BlockingIOError:
        return None
    if not data:
        return None
    number, _, text = data.decode(errors="replace").partition(" ")
    return int(number), text


def _child(what: Launch, writer: int, joined: bool) -> NoReturn:
    step = "fork"
    try:
        step = "session"
        _detach()
        if not joined:
            step = "control group"
            cgroups.write(f"{what.cgroup}/cgroup.procs", "0")
        step = "log"
        output = what.log
        if isinstance(output, str):
            output = os.open(output or "/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        for target in (1, 2):
            os.dup2(output, target)
        step = "limits"
        _limit(what)
        step = "user"
        _become(what.identity, what.capabilities)
        step = "cwd"
        os.chdir(what.cwd)
        os.umask(0o022)
        step = what.argv[0]
        linux.default_signals()
        os.execve(what.argv[0], what.argv, what.env)
    except BaseException as error:
        number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
        text = os.strerror(number) if isinstance(error, OSError) else repr(error)
        os.write(writer, f"{number} {step}: {text}".encode())
    finally:
        os._exit(127)


def _detach() -> None:
    """Own session, and no standard input."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)


def _limit(what: Launch) -> None:
    """Without CAP_SYS_RESOURCE (in a container) less may be granted: a service that runs so is better than none."""
    if what.oom_score_adj:  # PID 1's own is 0
        try:
            cgroups.write("/proc/self/oom_score_adj", str(what.oom_score_adj))
        except PermissionError:
            pass
    if what.nofile is not None:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (what.nofile, what.nofile))
        except ValueError:
            _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _become(who: Identity, capabilities: frozenset[int] | None) -> None:
    if capabilities is not None:
        linux.drop_bounding(capabilities)
        linux.keep_capabilities()
    if who != Identity():
        os.setgroups(who.groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
    if capabilities is not None:
        linux.set_capabilities(capabilities, ambient=who.uid != 0)
