"""Write the vectors of scheme v1 anew, and say the digests that pin them: `python tests/pin_linkage.py`.

Run it for a new scheme alone: vectors of a published one never change. Parts come from `normalise`; all
else is worked out apart from the code under test: tokens by `hmac`, scores by `linkage_reference`.
"""

import hashlib
import hmac
import json
import sys
from collections import Counter
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import linkage_reference as reference  # noqa: E402 - after the paths

from gateway.domain.people import IDENTIFYING  # noqa: E402
from gateway.linkage.normalise import normalise  # noqa: E402
from gateway.linkage.scheme import V1  # noqa: E402
from gateway.linkage.selftest import digest_of  # noqa: E402

FILE = ROOT / "tests" / "vectors" / "linkage" / "v1.json"
SECRET = bytes(range(32))
COLUMNS = ("forename", "surname", "dob", "postcode", "nhs_number", "upn", "nino", "uprn")
SIZE, OVERLAP = 1_000_000, 0.85

# of each pair of rows the second is what another organisation might hold
PEOPLE = (
    # every identifier, typed in two ways
    (
        "William",
        "Smith",
        "1961-02-03",
        "SW1A 1AA",
        "9990000018",
        "H801200001001",
        "AA123456C",
        "100012345678",
    ),
    (
        "Bill",
        "Smyth",
        "1961-03-02",
        "sw1a1aa",
        "999 000 0018",
        "h801200001001",
        "aa 12 34 56 c",
        "0100012345678",
    ),
    ("Katherine", "Hargreaves", "1984-05-17", "LS6 3QP", "9990000026", "H801200002002", "AB654321A", "10"),
    (
        "Kate",
        "Hargeaves",
        "1984-05-17",
        "LS6 3PQ",
        "9990000026",
        "H801200002002",
        "AB654321A",
        "000000000010",
    ),
    # names of many origins
    ("Zoë-Ann", "O'Brien-Łukasz", "2004-02-29", "M1 1AE", None, None, None, None),
    ("ZOE ANN", "OBrien Lukasz", "2004-02-29", "M1 IAE", None, None, None, None),
    ("Muhammad Ali", "al-Ḥasan", "1999-12-31", "GIR 0AA", "9990000034", None, None, None),
    ("Ali", "Al Hassan", "1999-12-31", "GIR OAA", "9990000034", None, None, None),
    ("Siân", "ap Rhys", "1972-05-10", "CF10 3AT", None, None, None, "5"),
    ("Sian", "Prys", "1972-10-05", "CF1O 3AT", None, None, None, "5"),
    ("Oluwaseun", "Adébáyọ̀", "1990-07-21", "SE15 4QN", "9990000042", None, None, None),
    ("Seun", "Adebayo", "1990-07-21", "SE15 4NQ", None, None, None, None),
    ("Małgorzata", "Wiśniewska", "1988-08-08", "NN4 7YB", None, None, None, None),
    ("Gosia", "Wisniewski", "1988-08-08", "NN4 7YB", None, None, None, None),
    ("Xiaoming", "Wang", "1979-11-30", "B5 4TF", None, None, None, None),
    ("Wang", "Xiao Ming", "1979-11-30", "B5 4TF", None, None, None, None),
    ("Harpreet", "Kaur Gill", "1995-03-14", "UB1 1AA", None, None, None, None),
    ("Harprit", "Gill", "1995-03-14", "UB1 1AA", None, None, None, None),
    ("Nguyễn Thị", "Trần", "2001-09-09", "SE8 3JF", None, None, None, None),
    ("Nguyen", "Tran", "2001-09-09", "SE8 3FJ", None, None, None, None),
    ("Ruairidh", "MacDhòmhnaill", "1966-06-06", "IV2 3PL", None, None, None, None),
    ("Rory", "McDonald", "1966-06-16", "IV2 3PL", None, None, None, None),
    ("Jean-Luc", "de la Tour née Dupont", "1955-12-24", "75001", None, None, None, None),
    ("Jean", "Delatour", "1955-12-24", "75001", None, None, None, None),
    ("Владимир", "Straße", "1985-10-10", "4223", "1111111111", "A000000000000", "BG123456A", "0"),
    ("JosÃ©", "GarcÃ\u00ada", "1985-10-10", "90210-1234", None, None, None, None),
    # little known: an initial, a year alone, one name, no address
    ("J", "McDonald", "1950-06-15", "SA1 OIA", None, None, None, None),
    ("Mary", "Hall", "1950-01-01", "SA1 01A", None, None, None, None),
    (None, "Sukarno", "1950-06-06", None, None, None, None, None),
    ("Elizabeth", None, "1984-05-17", "LS6 3QP", "9990000050", None, None, None),
    ("Elizabeth", "Hargreaves", "1984-05-17", "LS6 3QP", "9990000050", "Q80120000300A", "AB654322A", "10"),
    # a family that moved
    ("Ada", "Hargreaves", "2015-09-03", "LS6 3QP", None, None, None, None),
    ("Ada", "Hargreaves", "2015-09-03", "M14 5TQ", None, None, None, None),
    ("Katherine", "Okafor", "1984-05-17", "M14 5TQ", None, None, None, None),
    ("Mary", "Hall", "1950-11-23", "M14 5TQ", None, None, None, None),
    ("Mary", "Hall", "1950-11-23", "YO1 7HH", None, None, None, None),
    ("Mary", "Hall", "1950-11-23", "YO1 7HU", None, None, None, None),
    # "not known", in each field
    ("Baby Girl", "Not known", "1900-01-01", "ZZ99 3VZ", "0000000000", None, None, "000000000000"),
    ("Unknown", "XXX", "1901-01-01", "XX1 1XX", "9999999999", None, None, None),
    ("Baby", "Khan", "1970-01-01", "0000", "9990000019", "A801200001001", "QQ123456C", "1234567890123"),
    ("", "   ", None, "", "", "", "", ""),
    (None, None, None, None, None, None, None, None),
)

# rows of PEOPLE: (slot's person, its household), and the records of a small register
SLOTS = ((0, None), (2, 1), (31, 1), (34, None), (8, None), (14, None), (26, None), (30, None))
RECORDS = (1, 33, 32, 35, 36, 9, 15, 21, 28, 19)


def hkdf(secret, info):
    """RFC 5869 with SHA-256, no salt and one block."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\x01", "sha256")


def token(keys, parts, label):
    values = [parts[part] for part in label.split(".")]
    if None in values:
        return None
    message = "\x1f".join(values).encode()
    return hmac.digest(keys[label].hex().encode(), message, "sha256")[:16].hex()


def persons():
    for row in PEOPLE:
        yield dict(zip(COLUMNS, row, strict=True))


def parts_of(people):
    frame = pl.DataFrame(people, dict.fromkeys(COLUMNS, pl.String)).with_columns(pl.col("dob").str.to_date())
    return normalise(frame.cast({column: kind for column, kind in IDENTIFYING.items() if column in COLUMNS}))


def masks(one, other):
    both = {label for label in V1.labels if one[label] and other[label]}
    return frozenset(label for label in both if one[label] == other[label]), frozenset(both)


def scores(told):
    """Each pair of rows of the table of people against each other, at several sizes and overlaps."""
    cases = []
    for number in range(0, len(told) - 1, 2):
        agree, both = masks(told[number]["tokens"], told[number + 1]["tokens"])
        size = (1000, 1_000_000, 60_000_000)[number // 2 % 3]
        overlap = (0.85, 0.2, 0.05, 0.01)[number // 2 % 4]
        weights = reference.Fitted((0.05, 0.1, 0.4)[number // 2 % 3], (1.5, 3.0)[number // 2 % 2])
        namesakes = (0.5, 8.0, 1234.5)[number // 2 % 3]
        cases.append(
            {
                "agree": ordered(agree),
                "both": ordered(both),
                "register_size": size,
                "overlap": overlap,
                "namesakes": namesakes,
                "weights": {"poor": weights.poor, "kin": weights.kin},
                "score": finite(reference.score(agree, both, weights, size, V1, namesakes)),
                "together": finite(reference.together(agree, both, weights, size, overlap, V1, namesakes)),
                "threshold": reference.threshold(size, overlap, V1),
            }
        )
    return cases


def ordered(labels):
    return [label for label in V1.labels if label in labels]


def finite(bits):
    return None if bits == -reference.inf else bits


def linking(told):
    """A small list in a register said to be of a million: every step from tokens to accepted pairs."""
    named = Counter(told[row]["parts"]["gs"] for row in RECORDS)
    pairs = []
    for slot, (mine, household) in enumerate(SLOTS):
        for record, theirs in enumerate(RECORDS):
            agree, both = masks(told[mine]["tokens"], told[theirs]["tokens"])
            name, place = told[theirs]["parts"]["gs"], told[theirs]["parts"]["pc"]
            namesakes = V1.weights.namesakes * SIZE if name is None else named[name] - 0.5
            if agree:
                pairs.append(reference.Pair(slot, record, agree, both, household, place, namesakes))
    found = reference.resolve(pairs, size=SIZE, overlap=OVERLAP, scheme=V1, homes=True)
    alone = reference.resolve(pairs, size=SIZE, overlap=OVERLAP, scheme=V1)
    counted = Counter((pair.agree, pair.both) for pair in pairs)
    sides = min(len({pair.slot for pair in pairs}), len({pair.record for pair in pairs}))
    weights = reference.fitted(counted, sides, SIZE, OVERLAP, V1)
    return {
        "register_size": SIZE,
        "overlap": OVERLAP,
        "list": [{"person": person, "household": household} for person, household in SLOTS],
        "register": [{"person": person} for person in RECORDS],
        "pairs": [
            {
                "slot": pair.slot,
                "record": pair.record,
                "agree": ordered(pair.agree),
                "both": ordered(pair.both),
                "namesakes": pair.namesakes,
                "score": finite(reference.score(pair.agree, pair.both, weights, SIZE, V1, pair.namesakes)),
            }
            for pair in pairs
        ],
        "weights": {"poor": round(weights.poor, 9), "kin": round(weights.kin, 9)},
        "threshold": reference.threshold(SIZE, OVERLAP, V1),
        "accepted_without_households": accepted(alone),
        "accepted": accepted(found),
    }


def accepted(found):
    return [{"slot": slot, "record": record, "score": bits} for (slot, record), bits in found.items()]


def vectors():
    people = list(persons())
    keys = {label: hkdf(SECRET, f"flagstone/v1/token-key/v1/{label}".encode()) for label in V1.labels}
    told = [
        {
            "person": person,
            "parts": parts,
            "tokens": {label: token(keys, parts, label) for label in V1.labels},
        }
        for person, parts in zip(people, parts_of(people).to_dicts(), strict=True)
    ]
    return {
        "scheme": V1.version,
        "secret": SECRET.hex(),
        "keys": {label: key.hex() for label, key in keys.items()},
        "people": told,
        "scores": scores(told),
        "linking": linking(told),
    }


def main():
    text = json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"
    FILE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"self_test in gateway/linkage/v1.toml: {digest_of(V1)}\n")
    sys.stdout.write(
        f"DIGEST in tests/unit/test_linkage_vectors.py: {hashlib.sha256(text.encode()).hexdigest()}\n"
    )


if __name__ == "__main__":
    main()
