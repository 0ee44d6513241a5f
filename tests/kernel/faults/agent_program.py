"""The production agent in a machine of tests: `agent_program.py ROOT`. It takes the fault that is ordered as it starts.

Only the kernel's WireGuard is left out, which not every machine that runs tests has.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent.parent))

from tests.kernel.faults.injector import Injector


def main() -> int:
    Injector(sys.argv[1]).taken()
    from hepto.mesh.driver import MeshDriver
    from hepto.node import agent

    MeshDriver.apply = lambda self, wanted: None  # type: ignore[method-assign]
    return agent.main()


if __name__ == "__main__":
    sys.exit(main())
