"""What every test gets: no network for the pure kinds, and a check that each test says what it pins."""

import os
import resource
from pathlib import Path

import canary
import pytest
import pytest_socket
from hypothesis import HealthCheck, settings
from people import EVERYBODY

os.environ.pop("COLUMNS", None)  # Rich keeps the width it was imported under; tests set their own

pytest_plugins = ["postgres_fixtures", "softhsm"]

_MAY_SKIP = (
    # who runs the tests, not what is installed
    "only root can become another user",
    "the other tests run as an ordinary user then",
    "this checkout, or its Python, is closed to ordinary users",
    "an ordinary user always reaches its own packages",
    "only root can give a file away",
)
_PURE = {"unit", "property", "spec"}

# what an ordinary user has on Debian: tests that leave files open fail on every machine alike
_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, _HARD), _HARD))

settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    silent = [item.nodeid for item in items if not (getattr(item, "obj", None) and item.obj.__doc__)]
    if silent:
        raise pytest.UsageError(f"tests without a docstring that states their property: {silent}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test prints, to be looked through for people; not failures, which quote values."""
    if report.passed:
        for _, text in report.sections:
            canary.tell(report.nodeid, text.encode(errors="replace"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """People in what tests put out fail the run; so does, in CI, a test skipped for a package."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    found = canary.leaks(canary.Marks(EVERYBODY)) if canary.TOLD else {}
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if reporter:
            reporter.write_line(f"people of the tests stand where nobody may: {found}", red=True)
    if not os.environ.get("FLAGSTONE_TESTS_ALL") or reporter is None:
        return
    skipped = [report.longrepr[2] for report in reporter.stats.get("skipped", [])]
    missing = [reason for reason in skipped if not reason.endswith(_MAY_SKIP)]
    if missing:
        reporter.write_line(f"skipped, and must not be: {missing}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_runtest_setup(item: pytest.Item) -> None:
    kind = Path(item.path).relative_to(Path(__file__).parent).parts[0]
    if kind in _PURE:
        pytest_socket.disable_socket(allow_unix_socket=True)
    else:
        pytest_socket.enable_socket()
        pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
