"""A progress bar for work that takes more than a moment."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from rich.progress import Progress

from gateway.cli.output import err

_MOMENT: Final = 1.0  # seconds

Step = Callable[[], None]

T = TypeVar("T")


@contextmanager
def steps(what: str, total: int, done: int = 0) -> Iterator[Step]:
    """A function to call after each step; the bar appears after a second. `total`: 0 where not known."""
    began = time.monotonic()
    progress = Progress(console=err, disable=not err.is_terminal)
    task = progress.add_task(what, total=total or None, completed=done)

    def step() -> None:
        progress.advance(task)
        if time.monotonic() - began > _MOMENT:
            progress.start()

    try:
        yield step
    finally:
        progress.stop()


def stepping(results: Iterable[T], step: Step) -> Iterator[T]:
    """The results, with a step for each."""
    for result in results:
        step()
        yield result
