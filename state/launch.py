"""Become another program that ends when its parent does.

Run as a script: `python launch.py PARENT PROGRAM [ARGUMENT...]`. It keeps its process id,
so that whoever started it watches PROGRAM itself. Where the platform has no such tie
(anything but Linux), a program that outlives its parent is found at the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Tie this process to its parent, then replace it by the program."""
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the tie was made; then nobody would ever end us.
    if os.getppid() != int(parent):
        sys.exit(f"{program}: the server that wanted it is gone")
    os.execv(program, [program, *arguments])  # noqa: S606  # a fixed path, never a shell


if __name__ == "__main__":
    main()
