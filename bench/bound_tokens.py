"""What it costs to check that whoever presents an access token has what it is bound to.

    python bench/bound_tokens.py [--requests 2000]

On the embedded PostgreSQL with its ordinary settings, so that each used proof is durable before it counts.
Machines differ and are noisy: read the ratios.
"""

import argparse
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from fakes import FakePartyKeys, FakeStore
from jobworld import a_job
from proofs import Holder, an_assertion, signed_in
from results import table

from gateway.bundle.client_certificate import thumbprint
from gateway.bundle.dpop import verify_proof
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade
from gateway.domain import labels
from gateway.machine_ports import TlsCertificate
from gateway.service import access
from gateway.service.client_certificates import KEPT, digest_of
from gateway.service.constraint import Presented
from gateway.service.context import Context

DER = b"any certificate: nothing here parses it"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one call: the median by the clock, and the mean of this process' CPU."""

    clock: float
    cpu: float


def timed(work: Callable[[], object], times: int) -> Cost:
    found, cpu = [], time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return Cost(statistics.median(found), (time.process_time() - cpu) / times)


def token_alone(ctx: Context, holder: Holder) -> None:
    """What was checked before tokens were bound: signature, claims, and the partner in the store."""
    claims = access._verified_claims(  # noqa: SLF001
        ctx, holder.token, labels.TYP_ACCESS, ctx.keys.identity.auth, None
    )
    with ctx.store.begin() as uow:
        uow.partners.get(str(claims["sub"]))


def certified(ctx: Context, holder: Holder) -> str:
    """A token that is bound to the certificate."""
    claims = access._unverified_claims(holder.token)  # noqa: SLF001
    claims |= {"cnf": {"x5t#S256": digest_of(DER)}}
    return ctx.keys.sign_in(json.dumps(claims).encode(), labels.TYP_ACCESS)


def measure(ctx: Context, requests: int) -> dict[str, Cost]:
    holder = signed_in(ctx, an_assertion(ctx, FakePartyKeys("trust")))
    bound, mutual = certified(ctx, holder), Presented("GET", "", "bearer", certificate=DER)
    shown = holder.presented()
    proof, url, now = shown.proofs[0], shown.url, int(ctx.clock().timestamp())
    return {
        "Token alone, with the partner looked up": timed(lambda: token_alone(ctx, holder), requests),
        "Token and client certificate": timed(lambda: access.partner_of(ctx, bound, mutual), requests),
        "Token and proof (DPoP)": timed(
            lambda: access.partner_of(ctx, holder.token, holder.presented()), requests
        ),
        "of it: making the proof, which is the agent's": timed(holder.presented, requests),
        "of it: checking the proof, without nonce and store": timed(
            lambda: verify_proof(proof, method="GET", url=url, token=holder.token, now=now), requests
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="flagstone-bench-") as folder:
        embedded = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            url = embedded.start().migrate
            upgrade(url)
            engine = make_engine(url)
            job = a_job(store=PostgresStore(engine, FakeStore().signer), sign=False, prekeys=0)
            ctx = replace(job.context, entropy=secrets.token_bytes)
            with ctx.store.begin() as uow:
                at = datetime.now(UTC)
                certificate = TlsCertificate("trust", thumbprint(DER), DER, at.replace(year=at.year + 1), at)
                uow.tls_certificates.announce(certificate, KEPT)
                uow.commit()
            found = measure(ctx, requests)
            engine.dispose()
        finally:
            embedded.destroy()
    first = next(iter(found.values()))
    rows = (
        (what, f"{each.clock * 1e3:.2f}", f"{each.clock / first.clock:.1f}", f"{each.cpu * 1e3:.2f}")
        for what, each in found.items()
    )
    print(table(("Each request", "ms, median", "Ratio", "CPU ms of the gateway"), *rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
