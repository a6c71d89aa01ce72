"""The command ``python -m bench.start``."""

import sys

from bench.start.command import main

if __name__ == "__main__":
    sys.exit(main())
