"""The production logger of a test's machine: `logger_program.py ROOT`. It takes the fault ordered as it starts."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))

from tests.kernel.faults.injector import Injector


def main() -> None:
    root = sys.argv[1]
    Injector(root).taken()
    from init import logger

    logger.main(root, "/no/kmsg", "/dev/null")


if __name__ == "__main__":
    main()
