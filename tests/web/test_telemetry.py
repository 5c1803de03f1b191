import io
import json
import logging
import re

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import telemetry
from gateway.domain.exchange import Status

CORRELATION = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"
TEXTS = st.text(min_size=1, max_size=40)


@given(st.dictionaries(TEXTS, TEXTS, max_size=6))
def test_only_named_keys_are_logged(event):
    """A log line never has a key that the allow-list does not name, whatever was passed."""
    kept = telemetry.redact(None, "info", dict(event))
    assert kept.keys() <= telemetry._FORMS.keys() | {"dropped"}
    assert kept.get("dropped", 0) == len(event) - len(kept.keys() - {"dropped"})


@given(st.sampled_from(sorted(telemetry._FORMS)), TEXTS)
def test_a_known_key_is_no_way_round_the_allow_list(key, text):
    """Under a known key, text with a space, a quote or an `@` never passes, save the list of frames."""
    event = telemetry.redact(None, "info", {key: f"{text} O'Neill@"})
    assert event == {"dropped": 1}


def test_an_exception_is_logged_without_its_text(log_lines):
    """An error becomes its class and where it happened: its text may quote what it choked on."""
    try:
        int("Ann Example")
    except ValueError:
        structlog.get_logger().error("http.failed", correlation=CORRELATION, exc_info=True)
    (line,) = log_lines()
    assert line["error"] == "builtins.ValueError"
    assert re.fullmatch(r"web.test_telemetry:\d+", line["frames"])
    assert "Ann" not in json.dumps(line)


def test_a_library_is_logged_without_its_text(log_lines):
    """A library's line says who spoke, where and how gravely, and nothing of what was said."""
    logging.getLogger("some.library").warning("parameters were %s", "Ann Example")
    logging.getLogger("some.library").info("not even worth a line")
    (line,) = log_lines()
    assert line["event"] == "library.message"
    assert (line["logger"], line["level"]) == ("some.library", "warning")
    assert "Ann" not in json.dumps(line)


def test_dbos_is_logged_without_its_text_too(log_lines, capfd):
    """DBOS, which brings a handler of its own that prints everything, is held to the same rule."""
    from dbos import _logger

    _logger.init_logger()
    _logger.dbos_logger.warning("parameters were %s", "Ann Example")
    (line,) = log_lines()
    assert (line["logger"], line["level"]) == ("dbos", "warning")
    assert "Ann" not in json.dumps(line) + "".join(capfd.readouterr())


@pytest.mark.parametrize("depth", [1, 40])
def test_frames_fit_their_form_at_any_depth(depth):
    """Long tracebacks are cut, and still pass the allow-list."""

    def dig(left: int) -> None:
        if left == 0:
            raise KeyError("Ann Example")
        dig(left - 1)

    try:
        dig(depth)
    except KeyError as error:
        out = io.StringIO()
        telemetry.Telemetry(out).failed(CORRELATION, error)
    line = json.loads(out.getvalue())
    assert line["frames"]
    assert "dropped" not in line


def test_metrics_count_requests_and_transitions():
    """Requests appear by template and status, exchanges by the status that they entered."""
    observer = telemetry.Telemetry(out := io.StringIO())
    observer.answered(CORRELATION, "GET", "/v1/exchanges/{exchange}", 404, 0.25)
    observer.moved(Status.RELEASED)
    text = observer.exposition().decode()
    labels = 'method="GET",route="/v1/exchanges/{exchange}",status="404"'
    assert f"flagstone_http_request_seconds_count{{{labels}}} 1.0" in text
    assert 'flagstone_exchange_transitions_total{status="released"} 1.0' in text
    assert 'flagstone_exchange_transitions_total{status="failed"} 0.0' in text
    assert json.loads(out.getvalue())["seconds"] == 0.25


def test_two_observers_do_not_share_a_registry():
    """Metrics belong to the application that counted them: no state hides in the module."""
    one, other = telemetry.Telemetry(io.StringIO()), telemetry.Telemetry(io.StringIO())
    one.moved(Status.SENT)
    assert 'status="sent"} 0.0' in other.exposition().decode()


def test_lines_are_one_json_object_each():
    """Each line parses alone and carries time and level."""
    out = io.StringIO()
    telemetry.configure_logging(out)
    structlog.get_logger().info("gateway.started", port=8080)
    line = json.loads(out.getvalue())
    assert line.keys() == {"event", "level", "timestamp", "port"}
