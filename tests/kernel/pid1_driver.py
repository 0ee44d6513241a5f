"""PID 1 of a test: the production loop and its guard in fresh namespaces, with the settings of pid1_machine.py.

Run as `python -I -S pid1_driver.py ROOT CGROUPS [resume=FD]` by machine.py. Faults are ordered through files below ROOT
(faults/injector.py), from the first import of PID 1 on.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.kernel.faults.injector import BESIDE, Injector

INJECTORS = (Injector(sys.argv[1]), Injector(sys.argv[1], BESIDE))
INJECTORS[0].taken()

from init.__main__ import live  # noqa: E402  may raise by then


def run(memory: int, tries: int) -> None:
    from tests.kernel import pid1_machine  # as in production: imports may fail too

    pid1_machine.run(sys.argv[1], sys.argv[2], memory, tries, INJECTORS)


if __name__ == "__main__":
    live(run)
