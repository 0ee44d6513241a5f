"""`python3 -m hepto`: the same as the command `hepto`."""

import sys

from hepto.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
