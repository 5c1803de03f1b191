"""docs/verify-by-hand.md: its commands, typed as they stand there, print what stands there."""

import shutil

import pytest
from sample_log import PAGE, SAMPLE, commands, files, run

PAGE_COMMANDS = commands(PAGE.read_text(encoding="utf-8"))


def test_the_sample_is_what_the_code_writes():
    """The committed sample log, proof and trust file are those that this code makes today."""
    found = {file.name: file.read_bytes() for file in SAMPLE.iterdir()}
    assert found == files(), "make it anew: python tests/sample_log.py"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_every_command_prints_what_the_page_says(tmp_path):
    """All commands of the page, none left out, run in one bash and print the page's output."""
    printed = run([command for command, _ in PAGE_COMMANDS], tmp_path)
    assert list(zip([command for command, _ in PAGE_COMMANDS], printed, strict=True)) == PAGE_COMMANDS


def test_the_page_checks_what_it_promises():
    """The page verifies a signature and a cosignature, and sees a third fail; it works out a root by hand."""
    printed = "".join(output for _, output in PAGE_COMMANDS)
    assert printed.count("Signature Verified Successfully") == 2
    assert printed.count("Signature Verification Failure") == 1
    assert printed.count((SAMPLE / "log.txt").read_text().splitlines()[4]) == 3
    assert "Verified: all 7 entries of flagstone.example/council" in printed
    assert sum(command.startswith("openssl") for command, _ in PAGE_COMMANDS) == 3
