"""Small wrong edits of a module's source, one at a time: what the tests of that module must notice.

Conditions are negated, boundaries moved, operands dropped, numbers changed by one, and raises, early returns,
yields and calls for effect removed. Texts are left alone: no test should hang on the words of an error.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_FOR_EFFECT = (ast.Call, ast.Yield, ast.YieldFrom)
_UNTOUCHED = {"decorator_list", "annotation", "returns", "bases"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`source`: the whole module, edited in one place. `name` stays the same when other lines move."""

    path: str
    name: str
    line: int
    source: str


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mutant of a module that compiles."""
    found: dict[str, Mutant] = {}
    for scope, node, after in _edits(ast.parse(source), ""):
        name = wanted = f"{scope or 'module'}: {_line(node)} => {after}"
        count = 1
        while name in found:
            count += 1
            name = f"{wanted} ({count})"
        found[name] = Mutant(path, name, node.lineno, _replaced(source, node, after))
    return [mutant for mutant in found.values() if _compiles(mutant)]


def _edits(node: ast.AST, scope: str, *, top: bool = True) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """(function, node, its new text), in source order. `top`: the node's statements are not nested."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield from ((scope, node, after) for after in _edited(node, nested=not top))
    yield from ((scope, test, f"not ({ast.unparse(test)})") for test in _bare_conditions(node))
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        scope, top = f"{scope}.{node.name}".removeprefix("."), True
    elif isinstance(node, ast.stmt):
        top = False
    for field, value in ast.iter_fields(node):
        if field not in _UNTOUCHED:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _edits(child, scope, top=top)


def _edited(node: ast.expr | ast.stmt, *, nested: bool) -> Iterator[str]:
    match node:
        case ast.Raise():
            yield "pass"
        case ast.Return() if nested:
            yield "pass"
        case ast.Expr(value=value) if isinstance(value, _FOR_EFFECT):
            yield "pass"
        case ast.Compare(ops=ops):
            yield from _compared(node, ops)
        case ast.BoolOp(values=values):
            yield from (_with(node, values=[*values[:at], *values[at + 1 :]]) for at in range(len(values)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _COMPUTED:
            yield _with(node, op=_COMPUTED[type(op)]())
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value)):
            yield from (str(value + 1), f"({value - 1})")


def _compared(node: ast.Compare, ops: list[ast.cmpop]) -> Iterator[str]:
    for at, op in enumerate(ops):
        for other in _COMPARED[type(op)]:
            yield _with(node, ops=[*ops[:at], other(), *ops[at + 1 :]])


def _bare_conditions(node: ast.AST) -> Iterator[ast.expr]:
    """Conditions that are a mere name or call: nothing inside would negate them."""
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            tests = [test]
        case ast.comprehension(ifs=ifs):
            tests = ifs
        case _:
            tests = []
    return (test for test in tests if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp))


def _with(node: ast.expr | ast.stmt, **changes: object) -> str:
    changed = copy.copy(node)
    for field, value in changes.items():
        setattr(changed, field, value)
    if isinstance(changed, ast.BoolOp) and len(changed.values) == 1:
        changed = changed.values[0]
    text = ast.unparse(changed)
    return text if isinstance(node, ast.stmt) else f"({text})"


def _line(node: ast.expr | ast.stmt) -> str:
    """The node in one line, cut where that names it well enough."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:100]}..."


def _replaced(source: str, node: ast.expr | ast.stmt, after: str) -> str:
    lines = [line.encode() for line in source.splitlines(keepends=True)]  # columns are counted in bytes
    first, last = node.lineno - 1, node.end_lineno - 1
    before, rest = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], before, after.encode(), rest, *lines[last + 1 :]]).decode()


def _compiles(mutant: Mutant) -> bool:
    try:
        compile(mutant.source, mutant.path, "exec")
    except SyntaxError:
        return False
    return True
