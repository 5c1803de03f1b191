"""SECURITY.md names tests that exist, and verification has no truth value to forget."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERIFYING = ("audit", "gateway/bundle", "gateway/service", "gateway/linkage", "adapters/agent")


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_every_named_test_exists():
    """Each `tests/...::name` and each test file that SECURITY.md names is there."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or (name and name not in {f.name for f in functions(ROOT / path)})
    ]
    assert not missing


def test_every_named_module_exists():
    """Each module that SECURITY.md says keeps a promise is there."""
    named = re.findall(r"`((?:gateway|policies|adapters|audit)/[\w/.]*)`", (ROOT / "SECURITY.md").read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_verification_returns_no_bool():
    """No function called verify..., check... or open... returns a bool: it raises or it returns the thing."""
    wrong = [
        f"{path.relative_to(ROOT)}::{function.name}"
        for folder in VERIFYING
        for path in (ROOT / folder).rglob("*.py")
        for function in functions(path)
        if re.match(r"_?(verify|check|open)", function.name)
        and isinstance(function.returns, ast.Name)
        and function.returns.id == "bool"
    ]
    assert wrong == []
