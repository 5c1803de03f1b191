"""Keys that take another's place, and the end of those before them, each with an entry in the log.

What concerns this installation alone: the log's key, the sealing key and the search key. The keys of an
organisation's identity concern its partners, and have a use case of their own.

The order of a rotation, each step found undone and done again after a crash:

1. The new generation is made; from here on running processes use it, the log's beside the former.
2. An entry says so. The log's stands under a checkpoint that the former key signs too: with its proof it is
   what a witness follows (`Succession`).
3. The former is retired: it opens what it sealed, and seals no more. The log's former key goes on signing,
   beside the new one, until the overlap is over.

A sweep destroys what nothing needs any more: first the entry, then the key. A key whose destruction a crash
put off is destroyed by the next sweep, without a second entry.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from audit.entry import Json
from audit.proof import LogProof
from gateway.domain.errors import BadInputError
from gateway.key_ports import KeyInfo, KeyProvider, Succession, Use, current
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.recording import record, the_operator

LOG: Final = "log"
USES: Final = {LOG: Use.SIGN, "sealing": Use.SEAL, "search": Use.AGREE}
"""The kinds that rotate without a partner."""
GRACE: Final = timedelta(days=1)
"""Between a key's last possible use for new material and its destruction."""


def rotate(ctx: Context, provider: KeyProvider, kind: str) -> KeyInfo:
    """Put a new generation into the place of the one in use. The new one.

    Raises:
        BadInputError: this kind does not rotate so.
        LogUnavailableError: the entry can't be written; `announce` writes it at the next start.
    """
    if kind not in USES:
        raise BadInputError(
            "not a kind that rotates by itself", place="keys", way_out=f"Any of {', '.join(USES)}"
        )
    announce(ctx, provider, kind)  # a rotation that was cut short is finished first
    provider.create(kind, USES[kind], ctx.clock())
    announce(ctx, provider, kind)
    return current(provider, kind)


def announce(ctx: Context, provider: KeyProvider, kind: str) -> None:
    """Steps 2 and 3 for the newest generation, where they are undone. Nothing where there is one at most."""
    live = [key for key in provider.known(kind) if not key.retired and not key.destroyed]
    if not live or live[-1].ref.generation == 1:
        return
    newest = live[-1]
    with ctx.store.begin() as uow:
        said = uow.marks.get(f"key/{kind}")
        told = json.loads(said) if said else {}
        if told.get("key") != str(newest.ref) or told.get("public") != newest.public.hex():
            told = _told(ctx, uow, newest)
            uow.marks.put(f"key/{kind}", json.dumps(told))
            uow.commit()
    if kind == LOG:
        ctx.log_successions.keep(newest.ref.generation, Succession(told["leaf"], told["proof"]))
        return
    for former in live[:-1]:
        provider.retire(former.ref, ctx.clock())


def sweep(
    ctx: Context,
    providers: Mapping[str, KeyProvider],
    needed: Callable[[str], set[int]],
    overlap: timedelta,
) -> list[KeyInfo]:
    """Destroy former generations that nothing needs any more; those that were destroyed.

    `needed(kind)`: the generations that something which is kept was sealed for; `overlap`: for how long two
    keys of the log sign side by side.
    """
    gone = []
    for kind, provider in providers.items():
        keys = [key for key in provider.known(kind) if not key.destroyed]
        for key in keys[:-1]:
            if kind == LOG and keys[-1].created + overlap <= ctx.clock():
                announce(ctx, provider, kind)  # never before its successor is announced under it
                provider.retire(key.ref, ctx.clock())
            elif kind == LOG or not _over(ctx, key) or key.ref.generation in needed(kind):
                continue
            _record_end(ctx, key)
            provider.destroy(key.ref, ctx.clock())
            gone.append(key)
    return gone


def _over(ctx: Context, key: KeyInfo) -> bool:
    return key.retired is not None and key.retired + GRACE <= ctx.clock()


def _told(ctx: Context, uow: UnitOfWork, newest: KeyInfo) -> dict[str, str]:
    """The entry, and of the log's key its proof under the checkpoint that both keys sign."""
    body: dict[str, Json] = {"key_kind": newest.ref.kind, "generation": newest.ref.generation}
    if newest.ref.kind == LOG:
        verifier = uow.log.verifier
        body |= {"key": verifier.vkey, "before": verifier.earlier[0].vkey}
    record(ctx, uow, "keys.rotated", actor=the_operator(ctx), body=body, at=ctx.clock())
    told = {"key": str(newest.ref), "public": newest.public.hex()}
    if newest.ref.kind == LOG:
        size = uow.log.size()  # the log is ours alone until the unit ends, so the entry is its last
        leaf = next(iter(uow.log.leaves(size - 1, size)))
        proof = LogProof(size - 1, tuple(uow.log.inclusion(size - 1, size)), uow.log.checkpoint())
        told |= {"leaf": leaf.decode(), "proof": proof.text}
    return told


def _record_end(ctx: Context, key: KeyInfo) -> None:
    mark = f"key-destroyed/{key.ref}/{key.created.isoformat()}"
    with ctx.store.begin() as uow:
        if uow.marks.get(mark):
            return
        uow.marks.put(mark, "1")
        body: dict[str, Json] = {"key_kind": key.ref.kind, "generation": key.ref.generation}
        record(ctx, uow, "keys.destroyed", actor=the_operator(ctx), body=body, at=ctx.clock())
        uow.commit()
