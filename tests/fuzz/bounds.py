"""How long one input may take."""

import contextlib
import signal
import time

SECONDS = 1.0
"""Of processor time, in all threads: a busy machine makes nobody guilty."""


class HangError(Exception):
    """An input took too long."""


def _ring(*_):
    raise HangError(f"one input took over {SECONDS} s of processor time")


@contextlib.contextmanager
def in_time():
    """Raise `HangError` when the block takes too long, also when it hangs in Python for ever."""
    before, began = signal.signal(signal.SIGPROF, _ring), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if time.process_time() - began > SECONDS:
        _ring()
