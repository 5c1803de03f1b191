"""Inputs made to hurt, each tried once in this process, and what it took, as JSON: `python -m hostile`."""

import io
import json
import os
import resource
import sys
import tempfile
import time
import zipfile
from hashlib import sha256
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"

import xlsxwriter
from evidence_samples import TRUST
from intake_samples import GOOD, HEADER, read, upload
from parquet_world import parquet
from proofs import signed_in
from web.webworld import a_world

from adapters.agent.main import identity_of
from adapters.agent.settings import read_settings
from audit.entry import Entry
from audit.errors import AuditError
from audit.evidence import verify_evidence
from audit.trust import Trust
from gateway.domain import labels
from gateway.domain.errors import FlagstoneError
from policies.document import from_document
from policies.loader import load

MIB = 1 << 20
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
DEEP = 200_000
"""Levels: more than any stack holds."""


def workbook(part=SHEET, change=lambda xml: xml, more=()):
    """A good workbook with one part changed, and more parts put in: pairs of a name and chunks."""
    out, altered = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate((HEADER, GOOD)):
            sheet.write_row(number, 0, line.split(","))
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(altered, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
        for name, chunks in more:
            with new.open(name, "w") as stream:
                for chunk in chunks:
                    stream.write(chunk)
    return altered.getvalue()


def with_doctype(doctype, entity, part=STRINGS):
    """A workbook whose first text is an entity of this document type."""

    def change(xml):
        head, _, rest = xml.partition(b"?>")
        return head + b"?>" + doctype.encode() + rest.replace(b"household_id", entity.encode())

    return workbook(part, change)


def billion_laughs():
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return with_doctype(f'<!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>', "&l9;")


def utf16_entities():
    """In an encoding in which no search of bytes finds the document type."""
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY e "x">]><worksheet>&e;</worksheet>'
    return workbook(change=lambda _: text.encode("utf-16"))


def zip_of_overlapping_parts():
    """Many directory entries that name the same bytes, each within the limit by itself."""
    data = workbook(more=[("xl/blanks", [b" " * MIB] * 100)])
    at = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry, count = data[at:end], 2_000
    parts = int.from_bytes(data[end + 10 : end + 12], "little") + count
    size = int.from_bytes(data[end + 12 : end + 16], "little") + len(entry) * count
    tail = bytearray(data[end:])
    tail[8:10] = tail[10:12] = parts.to_bytes(2, "little")
    tail[12:16] = size.to_bytes(4, "little")
    return data[:end] + entry * count + bytes(tail)


def bare_parquet(footer):
    """A file of a footer alone, in Thrift's compact protocol."""
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _claim_rows(footer):
    footer[3] = type(footer[3])(50_000_000)


def deep(levels=DEEP):
    return b"[" * levels + b"]" * levels


def load_policy(data):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "law").mkdir()
        (Path(folder) / "law" / "deep.toml").write_bytes(data)
        return load(Path(folder))


def agent_settings(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.toml"
        path.write_bytes(data)
        path.chmod(0o600)
        return read_settings(Path(folder))


WORLD = a_world()


def assertion(claims):
    return signed_in(WORLD.context, WORLD.context.keys.sign_in(claims, labels.TYP_ASSERTION))


def policy_set(data):
    return from_document(data, sha256(data).hexdigest())


LISTS = {
    "an external entity": lambda: with_doctype(
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"
    ),
    "a parameter entity": lambda: with_doctype(
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>', "x", SHEET
    ),
    "a billion laughs": billion_laughs,
    "entities in UTF-16": utf16_entities,
    "a zip bomb": lambda: workbook(more=[("docProps/more.xml", [b" " * MIB] * 600)]),
    "a zip of 20,000 parts": lambda: workbook(more=[(f"xl/p{n}", []) for n in range(20_000)]),
    "a zip of overlapping parts": zip_of_overlapping_parts,
    "a CSV of a million columns": lambda: (
        b"household_id,person_id,surname" + b",x" * 1_000_000 + b"\nh,p,Smith\n"
    ),
    "a CSV row of a million cells": lambda: upload(GOOD, GOOD + ",x" * 1_000_000),
    "a CSV line of 100 MB": lambda: upload(GOOD, "h1,p2," + "x" * (100 * MIB)),
    "a CSV line of 60 MB": lambda: upload(GOOD, "h1,p2," + "x" * (60 * MIB)),
    "a CSV quote that never ends": lambda: upload(GOOD) + b'h1,"' + b"x\n" * (20 * MIB),
    "a Parquet footer that claims 50 million rows": lambda: parquet(edit_footer=_claim_rows),
    "a Parquet footer of a list of two billion": lambda: bare_parquet(
        b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07"
    ),
    "a Parquet footer of deep structures": lambda: bare_parquet(b"\x1c" * 1_000_000),
}
DOCUMENTS = {
    "deep JSON as evidence": (lambda: b'{"a":' * DEEP, lambda data: verify_evidence(data, TRUST)),
    "deep JSON as a trust file": (lambda: deep(30_000), Trust.parse),
    "deep JSON as a log entry": (lambda: deep(30_000), Entry.parse),
    "deep JSON as an identity": (lambda: deep(30_000), identity_of),
    "deep JSON as claims": (lambda: deep(1_000), assertion),
    "deep JSON as a policy set": (deep, policy_set),
    "deep TOML as a policy": (lambda: b"a = " + deep(), load_policy),
    "long TOML keys as a policy": (lambda: b".".join([b"a"] * DEEP) + b" = 1\n", load_policy),
    "many long TOML keys as a policy": (
        lambda: b"".join(b"a" + b".a" * 995 + b".b%d = 1\n" % n for n in range(490)),
        load_policy,
    ),
    "deep TOML as an agent's settings": (lambda: b"a = " + deep(), agent_settings),
}
CASES = {name: (make, read) for name, make in LISTS.items()} | DOCUMENTS


def tried(make, use) -> dict[str, object]:
    """What came of reading, the text of an error, processor seconds, and MiB that the process grew by."""
    data = make()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        use(data)
    except (FlagstoneError, AuditError) as error:
        outcome, text = "refused", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        outcome, text = type(error).__name__, str(error)[:500]
    else:
        outcome, text = "taken", ""
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return {"outcome": outcome, "text": text, "seconds": round(seconds, 2), "grown": grown}


if __name__ == "__main__":
    json.dump({name: tried(*CASES[name]) for name in sys.argv[1:] or CASES}, sys.stdout, indent=1)
