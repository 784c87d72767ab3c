"""PARENT_PID PROGRAM ARGUMENT...: become a program that the kernel kills when its parent ends.

From the first moment on, and for programs that cannot ask for it themselves; a preexec_fn in the parent would
not be safe beside threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, then replace this program: what was asked for outlives the replacement."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the parent ended before the kernel was asked")
    os.execv(command[0], command)  # noqa: S606 - replacing this process by the given program is what this is for


if __name__ == "__main__":
    main()
