"""Pages from templates. Whatever goes into one is escaped."""

from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

STYLE: Final = "/assets/flagstone.css"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("gateway.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, **values: object) -> str:
    """The HTML of a template."""
    return _templates().get_template(f"{template}.html").render(style=STYLE, **values)


@cache
def style() -> bytes:
    """The one style sheet."""
    return (resources.files("gateway.pages") / "assets" / "flagstone.css").read_bytes()
