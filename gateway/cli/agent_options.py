"""Options that several of the agent's commands share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[Path, typer.Option("--home", envvar="FLAGSTONE_AGENT_HOME", help="The agent's folder")]
