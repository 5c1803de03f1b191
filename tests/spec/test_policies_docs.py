"""docs/policies/ says what the policies and their decision tables say."""

from policy_docs import DOCS, pages


def test_the_pages_are_those_of_the_tables():
    """Each dataset has its page, word for word as made from the tables, and there is no other page."""
    made = pages()
    assert {path.name: path.read_text() for path in DOCS.glob("*.md")} == made
