"""The optional table of a dataset that lets a release wait for witnesses."""

import pytest
from policy_folder import copied

from policies.loader import builtin, load
from policies.model import CosignedBy
from policies.page import _limits


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped policies."""
    return copied(tmp_path)


def ask(folder, text):
    """Put `text` in the place of the header of the retention table, which it ends with."""
    file = folder / "datasets" / "health-trust.toml"
    file.write_text(file.read_text().replace("[retention]", text, 1))


def test_a_release_may_wait_for_cosignatures(folder):
    """`release_when` is optional; with it, the dataset says whose cosignatures it waits for."""
    ask(folder, '[release_when]\ncosigned_by = ["partner", "outside"]\n\n[retention]')
    assert load(folder).datasets["health-trust"].cosigned_by == (CosignedBy.PARTNER, CosignedBy.OUTSIDE)
    assert load(builtin()).datasets["health-trust"].cosigned_by is None


def test_the_page_says_what_a_release_waits_for(folder):
    """A reader of the policy sees that, and for whom, the release waits."""
    ask(folder, '[release_when]\ncosigned_by = ["outside"]\n\n[retention]')
    lines = "\n".join(_limits(load(folder).datasets["health-trust"]))
    assert "cosigned by another partner" in lines
    assert "cosigned" not in "\n".join(_limits(load(builtin()).datasets["health-trust"]))
