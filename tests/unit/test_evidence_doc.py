"""The evidence that docs/log-format.md publishes is what the code writes, and verifies as printed there."""

import io
from pathlib import Path

from evidence_samples import DATA, TRUST

from audit.__main__ import main
from audit.trust import write_trust

DOCS = Path(__file__).parents[2] / "docs"
EVIDENCE, TRUSTED = DOCS / "example-evidence.json", DOCS / "example-evidence-trust.json"


def test_the_published_evidence_is_what_the_code_writes(tmp_path):
    """The two files of the example come out of the samples, byte for byte."""
    write_trust(tmp_path / "trust", TRUST)
    assert EVIDENCE.read_bytes() == DATA
    assert TRUSTED.read_bytes() == (tmp_path / "trust").read_bytes()


def test_it_verifies_as_the_page_prints(monkeypatch):
    """The command on the page gives the text on the page."""
    monkeypatch.chdir(DOCS.parent)
    out, err = io.StringIO(), io.StringIO()
    argv = ["verify", "docs/example-evidence.json", "--trust", "docs/example-evidence-trust.json"]
    assert (main(argv, out, err), err.getvalue()) == (0, "")
    page = (DOCS / "log-format.md").read_text()
    assert f"$ python -m audit {' '.join(argv)}\n{out.getvalue()}```" in page
