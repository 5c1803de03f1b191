"""Options that several of the agent's commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.registers.opening import Kind
from gateway.domain.errors import BadInputError

Home = Annotated[Path, typer.Option("--home", envvar="FLAGSTONE_AGENT_HOME", help="The agent's folder")]

_KINDS: Final[dict[str, Kind]] = {"csv": "csv", "parquet": "parquet", "sql": "sql"}
_SUFFIXES: Final[dict[str, Kind]] = {".csv": "csv", ".parquet": "parquet"}


def register_kind(told: str | None, register: str, query: str) -> Kind:
    """The kind of a register, as told or from its name; an SQL one has a query, and no other.

    Raises:
        BadInputError: it can't be told, or the query is missing or too much.
    """
    found = "sql" if "://" in register else _SUFFIXES.get(Path(register).suffix.lower())
    kind = _KINDS.get(told) if told else found
    if kind is None:
        raise BadInputError(
            "not one of csv, parquet and sql, and the register's name does not tell", place="--kind"
        )
    if kind != "sql" and query:
        raise BadInputError("only an SQL register has a query", place="--query")
    if kind == "sql" and not query:
        raise BadInputError(
            "missing", place="--query", way_out='An SQL register needs one, such as --query "SELECT * FROM v"'
        )
    return kind
