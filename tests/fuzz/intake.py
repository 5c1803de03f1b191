"""Household lists and person files: CSV, XLSX and Parquet, whole and within a workbook's archive."""

import io
import zipfile

import polars as pl
import xlsxwriter
from intake_samples import GOOD, HEADER, TODAY, upload

from gateway.intake import Limits, read_household_list, read_person_file

LIMITS = Limits(max_bytes=1 << 20, max_unpacked=1 << 22, max_rows=2_000)


def whole(data):
    return read_household_list([data], today=TODAY, limits=LIMITS)


def forgiving(data):
    return read_household_list([data], today=TODAY, limits=LIMITS, accept_valid=True)


def persons(data):
    return read_person_file([data], today=TODAY, limits=LIMITS, accept_valid=True, keep_rows=True)


def _workbook():
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate((HEADER, GOOD)):
            sheet.write_row(number, 0, line.split(","))
    return out.getvalue()


WORKBOOK = _workbook()
PARTS = {
    name: zipfile.ZipFile(io.BytesIO(WORKBOOK)).read(name)
    for name in zipfile.ZipFile(io.BytesIO(WORKBOOK)).namelist()
}
SHEET, STRINGS, BOOK = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"


def _with(part):
    def read(data):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (PARTS | {part: data}).items():
                archive.writestr(name, content)
        return forgiving(out.getvalue())

    return read


def _parquet():
    out = io.BytesIO()
    frame = pl.DataFrame(dict(zip(HEADER.split(","), ([cell] for cell in GOOD.split(",")), strict=True)))
    frame.write_parquet(out, compression="uncompressed")
    return out.getvalue()


WAYS = {
    "whole": whole,
    "forgiving": forgiving,
    "persons": persons,
    "sheet": _with(SHEET),
    "strings": _with(STRINGS),
    "book": _with(BOOK),
}
SEEDS = [
    *[(way, upload(GOOD)) for way in ("whole", "forgiving", "persons")],
    ("forgiving", upload(*[GOOD.replace(",", ";")] * 3, header=HEADER.replace(",", ";"), end="\r\n")),
    ("forgiving", upload(GOOD).decode().encode("utf-16")),
    ("persons", upload(GOOD, GOOD.replace("1990-02-01", "31/31/1990")).decode().encode("cp1252")),
    ("forgiving", b"\xef\xbb\xbf" + upload(GOOD.replace("Zo", '"Z\n""o') + '"')),
    ("whole", WORKBOOK),
    ("persons", _parquet()),
    ("forgiving", _parquet()),
    ("sheet", PARTS[SHEET]),
    ("strings", PARTS[STRINGS]),
    ("book", PARTS[BOOK]),
]
