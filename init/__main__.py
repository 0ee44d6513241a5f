"""PID 1's entry: blocks all signals with its first statement, then imports the rest inside a guard.

An exception before the loop would be a kernel panic. So what cannot be imported or built leaves a loop of `os` and
`signal` only, which reaps, says what is wrong, and ends the machine when it is told to. With a name as argument it is
one of the subprograms instead: `logger` or `lab`.
"""

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

import os  # noqa: E402
import sys  # noqa: E402

_compiled = 0


def main() -> None:
    """PID 1, or a subprogram."""
    arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith("resume="):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _subprogram(arguments[0])
        return
    sys.addaudithook(_count)
    try:
        _pid1(arguments)
    except BaseException as error:
        _complain(error)
    while True:
        try:
            _last_resort()
        except BaseException as error:
            _complain(error)


def _subprogram(name: str) -> None:
    if name == "logger":
        from init import logger

        logger.main()
    elif name == "lab":
        from init import channel

        channel.main()
    else:
        sys.exit(f"{name}: no such subprogram\nthere are: logger, lab")


def _pid1(arguments: list[str]) -> None:
    from init import handover, linux, phases
    from init.pid1 import Init
    from init.settings import Settings
    from init.shutdown import Action

    def end(action: Action) -> None:
        linux.reboot(linux.REBOOT_POWER_OFF if action is Action.POWEROFF else linux.REBOOT_RESTART)

    def bind(directory: str) -> None:
        from init import binds  # here and below: only the child that does it pays for the import

        binds.bind(directory)

    def unmount(detach: bool) -> None:
        from init.unmount import everything

        everything(detach=detach)

    settings = Settings(
        phases=phases.BOOT,
        tasks=phases.TASKS,
        end=end,
        bind=bind,
        unmount=unmount,
        cad_off=lambda: linux.reboot(linux.REBOOT_CAD_OFF),
    )
    before = handover.read(int(arguments[0].removeprefix("resume="))) if arguments else None
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
