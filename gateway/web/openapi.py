"""Writes the OpenAPI document: `python -m gateway.web.openapi [FILE]`."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from gateway.web.app import bare_app

FILE: Final = Path("openapi/gateway.v1.json")


def document() -> dict[str, Any]:
    """The contract of /v1 (OpenAPI 3.1)."""
    return bare_app().openapi()


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else FILE).write_text(text(), encoding="utf-8")
