"""``python -m`` and the name of this package: print the table of progress."""

import sys

from . import progress

if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a console whose code page lacks the signs
    print(progress())
