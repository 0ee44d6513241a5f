"""PID 1's entry: blocks all signals with its first statement, then imports the rest inside a guard.

An exception before the loop would be a kernel panic. So what cannot be imported or built is tried again by an exec of
the same, for memory or descriptors may be there then; and after `TRIES` of them is left a loop of `os` and `signal`
only, which reaps, says what is wrong, and ends the machine when it is told to. With a name as argument it is one of the
subprograms instead (`_subprogram`).
"""

import signal

try:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
except BaseException:  # `live` does it again, where what is raised is seen to
    pass

import os
import sys

TYPE_CHECKING = False  # as in `typing`, which is not imported before the guard
if TYPE_CHECKING:
    from collections.abc import Callable

RESUME, AGAIN = "resume=", "again="
"""Arguments of an exec of ourselves: the memfd that tells where to go on, and how often that has failed."""
CONTAINER = "container"
"""Argument: there is no machine here, only namespaces of somebody else's."""
TRIES, BREATH = 3, 0.2
_compiled = 0


def main() -> None:
    """PID 1, or a subprogram."""
    arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith((RESUME, AGAIN, CONTAINER)):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _subprogram(*arguments)
        return
    sys.addaudithook(_count)
    live(_pid1)


def live(run: "Callable[[int, int], None]") -> None:
    """Be PID 1 for ever: `run(memfd, tries)` until it raises. The memfd is that of the generation before, or -1."""
    tries = 0
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        tries = int(_argument(AGAIN) or 0)
        run(int(_argument(RESUME) or -1), tries)
    except BaseException as error:
        _complain(error)
    try:
        if tries < TRIES:
            signal.sigtimedwait((), BREATH)
            words = [word for word in sys.orig_argv if not word.startswith(AGAIN)]
            os.execv(sys.executable, [*words, f"{AGAIN}{tries + 1}"])
    except BaseException as error:
        _complain(error)
    while True:
        try:
            _last_resort()
        except BaseException as error:
            _complain(error)


def _argument(name: str) -> str:
    """What follows this in one of our arguments; "" if it is not there."""
    return next((word.removeprefix(name) for word in sys.argv[1:] if word.startswith(name)), "")


def _subprogram(name: str, *arguments: str) -> None:
    if name == "logger":
        from init import logger

        logger.main()
    elif name == "lab":
        from init import channel

        channel.main()
    elif name == "check":
        # Stage 0 asks, on a root that is verified as it is read: PID 1 itself could only die of what is damaged.
        from init import blockdevices, credentials, datadisk, handover, phases, pid1, rescue

        del blockdevices, credentials, datadisk, handover, phases, pid1, rescue
    elif name == "shell":
        from init import shell

        shell.main(*arguments)
    elif name == "disks":
        from init import blockdevices

        sys.stdout.write(blockdevices.probe().decode())
    else:
        sys.exit(f"{name}: no such subprogram\nthere are: check, disks, logger, lab, shell")


def _pid1(memory: int, tries: int) -> None:
    from init import handover, linux, phases
    from init.pid1 import Init
    from init.settings import Settings
    from init.shutdown import Action

    ends = {
        Action.POWEROFF: linux.REBOOT_POWER_OFF,
        Action.REBOOT: linux.REBOOT_RESTART,
        Action.HALT: linux.REBOOT_HALT,
    }

    def end(action: Action) -> None:
        linux.reboot(ends[action])

    def bind(directory: str) -> None:
        from init import binds  # here and below: only the child that does it pays for the import

        binds.bind(directory)

    def unmount(detach: bool) -> None:
        from init.unmount import everything

        everything(detach=detach)

    settings = Settings(
        phases=phases.BOOT,
        tasks=phases.TASKS,
        end=end,  # in a container reboot(2) ends PID 1 by a signal that says which end it was (pid_namespaces(7))
        bind=bind,
        unmount=unmount,
        cad_off=lambda: linux.reboot(linux.REBOOT_CAD_OFF),
    )
    if CONTAINER in sys.argv:
        program = (*settings.program, CONTAINER)
        settings = settings._replace(phases=phases.CONTAINER, program=program, machine=False, cad_off=lambda: None)
    before = handover.read(memory, tries) if memory >= 0 else None
    Init(settings, before, lambda: _compiled).run()


def _count(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: a .py that is compiled at boot is a defect of the image, and costs much of its time."""
    if event == "compile":
        name = arguments[1]
        if isinstance(name, bytes | str) and str(name).rstrip("'").endswith(".py"):
            global _compiled
            _compiled += 1


def _complain(error: BaseException) -> None:
    try:
        text = f"\r\nPID 1 cannot go on: {type(error).__name__}: {error}\r\nend the machine with its power button\r\n"
        descriptor = os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(descriptor, text.encode(errors="replace"))
        os.close(descriptor)
    except BaseException:  # nobody to tell
        return


def _last_resort() -> None:
    """Reap, and end the machine by the kernel's own means when told to."""
    while True:
        found = signal.sigtimedwait((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPWR), 10.0)
        if found is not None and found.si_signo != signal.SIGCHLD:
            if CONTAINER in sys.argv:
                os._exit(1)  # with PID 1 ends all of a container; the kernel's own means would end its host
            os.sync()
            with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
                file.write("b" if found.si_signo == signal.SIGINT else "o")
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            continue


if __name__ == "__main__":
    main()
