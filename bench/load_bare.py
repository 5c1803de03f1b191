"""What bench/load.py compares with: a bare FastAPI route that reads one row of the same database."""

import os
import sys

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from gateway.db.engine import make_engine

app = FastAPI()
engine = make_engine(os.environ["BARE_DATABASE_URL"], pool_size=20)
_ROW = text("SELECT digest, kept_at FROM flagstone.policy_sets LIMIT 1")


@app.get("/row")
def row() -> dict[str, str]:
    with engine.connect() as connection:
        found = connection.execute(_ROW).one()
    return {"digest": found.digest, "kept_at": found.kept_at.isoformat()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
