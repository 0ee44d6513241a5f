"""Takes secrets out of the environment: who may look at a process sees in /proc what it was started with, for ever.

Deleting a variable does not help, for /proc shows the memory that execve filled. So the program starts itself again
with the secret in a memory file, and the variable names that file.
"""

import os
import sys

from hepto.options import OPTIONS

_MARK = "@"


def hide_secrets() -> None:
    """Run the same command again without secrets in its environment, if there are any."""
    environment = dict(os.environ)
    found = [option.variable for option in OPTIONS if option.secret and environment.get(option.variable)]
    exposed = [variable for variable in found if not environment[variable].startswith(_MARK)]
    if not exposed:
        return
    for variable in exposed:
        # Kept across this exec; children do not get it, for subprocess closes what it is not told to pass on.
        descriptor = os.memfd_create(variable, 0)
        os.write(descriptor, os.fsencode(environment[variable]))
        environment[variable] = f"{_MARK}/proc/self/fd/{descriptor}"
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
