"""What bench/load.py compares with: a bare FastAPI route that reads one row of the same database."""

import os
import sys

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from gateway.db.engine import make_engine

app = FastAPI()
engine = make_engine(os.environ["BARE_DATABASE_URL"], pool_size=20)
_ROW = text("SELECT size, length(note) FROM flagstone.log_checkpoints ORDER BY size DESC LIMIT 1")


@app.get("/row")
def row() -> dict[str, int]:
    with engine.connect() as connection:
        found = connection.execute(_ROW).one()
    return {"size": found[0], "length": found[1]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
