import io
import json
from collections.abc import Callable

import pytest
from web.webworld import World, a_world

from gateway import telemetry


@pytest.fixture
def world() -> World:
    """A fresh gateway."""
    return a_world()


@pytest.fixture
def log_lines() -> Callable[[], list[dict]]:
    """Every log line of this process from here on, as it would be written."""
    out = io.StringIO()
    telemetry.configure_logging(out)
    return lambda: [json.loads(line) for line in out.getvalue().splitlines()]
