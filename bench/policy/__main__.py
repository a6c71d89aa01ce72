"""The command ``python -m bench.policy``."""

import sys

from bench.policy.command import main

if __name__ == "__main__":
    sys.exit(main())
