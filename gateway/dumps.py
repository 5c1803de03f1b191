"""Memory that holds names and keys is never written to a disk: no core dumps of this process."""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def forbid_core_dumps() -> None:
    """Let neither a crash nor a debugger of the same Unix user get at this process' memory.

    The limit holds for child processes too, so for the embedded PostgreSQL; that a process can't be traced is
    Linux' alone, and does not pass on. Root still may. Swap and hibernation are the operator's to encrypt.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
