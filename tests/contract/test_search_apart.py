"""The search in a process and home of its own: the gateway writes tags, and only the other can read them."""

import os
import shutil
import subprocess
import sys

import httpx
import pytest
from processes import eventually, free_port, site

from gateway.bootstrap import opened

QUESTION = {
    "reason": "audit",
    "person": {"forename": "Abelquist", "surname": "Quilterwick", "dob": "1981-03-02"},
}
NEEDED = {
    "log-key": "*",
    "search-key": "*",
    "cosigned": "*",
    "exchange-keys": "*.tags",
}
"""What the search's home needs, as SECURITY.md says, beside `keys/` without the private ones."""


def moved(world):
    """The search's home, with what SECURITY.md says; the gateway keeps no private search key."""
    home = world.root / "search"
    home.mkdir(mode=0o700)
    shutil.copytree(world.council / "keys", home / "keys", ignore=shutil.ignore_patterns("*.key"))
    for folder, files in NEEDED.items():
        (home / folder).mkdir(mode=0o700)
        for path in (world.council / folder).glob(files):
            shutil.copy2(path, home / folder)
    (world.council / "search-key" / "private.key").unlink()
    return home


def started(world, home, port):
    """A process that serves searches alone, over the gateway's database."""
    with opened(world.settings) as installation:
        urls = installation.urls
    own = {
        "HOME": home,
        "PORT": port,
        "DATABASE_URL": urls.web,
        "DATABASE_URL_WORKER": urls.worker,
        "DATABASE_URL_REVIEW": urls.review,
        "DATABASE_URL_MIGRATE": urls.migrate,
    }
    environment = world.environment() | {f"FLAGSTONE_{name}": str(value) for name, value in own.items()}
    argv = [sys.executable, "-m", "gateway.cli", "serve", "--search-only"]
    with (world.root / "search.log").open("wb") as said:
        return subprocess.Popen(argv, env=os.environ | environment, stdout=said, stderr=said)


@pytest.mark.processes
@pytest.mark.postgres
def test_a_search_apart_finds_what_the_gateway_can_not(tmp_path):
    """Without the private key the gateway refuses; the other process, which takes no list, finds."""
    with site(tmp_path) as world:
        exchange = world.submit((tmp_path / "list.csv").read_bytes(), "key-00000001")["exchange"]
        assert world.ended(exchange) == "released"
        home, port = moved(world), free_port()
        assert world.call("reviewer", "POST", "/v1/log/subject", json=QUESTION).status_code == 409
        search = started(world, home, port)
        try:

            def ask(path, token=world.tokens["reviewer"], **options):
                headers = {"Authorization": f"Bearer {token}"}
                try:
                    return httpx.post(f"http://127.0.0.1:{port}{path}", headers=headers, **options)
                except httpx.TransportError:
                    return None

            answer = eventually(lambda: ask("/v1/log/subject", json=QUESTION))
            assert answer.status_code == 200, answer.text
            (asked,) = answer.json()["asked"]
            assert (asked["exchange"], asked["outcome"]) == (exchange, "released")
            assert ask("/v1/exchanges").status_code == 404
            assert ask("/v1/log/subject", token="fst_" + "A" * 43, json=QUESTION).status_code == 401
        finally:
            search.terminate()
            search.wait(30)
        kinds = [entry.kind for entry in world.exported()]
        assert {"log.search-refused", "log.searched"} <= set(kinds)
