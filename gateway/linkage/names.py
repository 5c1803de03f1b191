"""Names to the parts of match keys, once for each distinct spelling (docs/normalisation.md has the steps).

Every part is null or a text of letters; a code has digits too. The tables are `names.toml`, `nicknames.csv`
and `surnames.csv`.
"""

import csv
import tomllib
from collections.abc import Callable, Iterable
from typing import Any, Final

import polars as pl

from gateway.linkage.phonetic import once, sound
from gateway.linkage.scheme import Placeholders, package_text


def _table(name: str) -> dict[str, str]:
    return {row["name"]: row["canonical"] for row in csv.DictReader(package_text(name).splitlines())}


def _any(words: Iterable[str]) -> str:
    """A pattern for any of the words; of two with one beginning, the longer is tried first."""
    return "(?:" + "|".join(sorted(words, key=lambda word: (-len(word), word))) + ")"


_RULES: Final[dict[str, Any]] = tomllib.loads(package_text("names.toml"))
_WORDS: Final[dict[str, list[str]]] = _RULES["words"]

_LETTERS: Final[dict[str, str]] = _RULES["letters"]
_APOSTROPHES: Final = "'`\u00b4\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\ua78b\ua78c\uff07"
# Latin letters with marks, quotes, dashes and the no-break space, as their UTF-8 bytes read when taken for
# Windows-1252; not where bytes are lacking there, or read as letters that may follow one another
_MISREAD: Final = {
    sign.encode().decode("windows-1252"): sign
    for sign in [*map(chr, range(0xC0, 0x180)), "\u2018", "\u2019", "\u2013", "\u2014", "\u00a0", "\u00ad"]
    if not {0x81, 0x8D, 0x8F, 0x90, 0x9D, *"ŠŽŒšžœƒ".encode("windows-1252")} & set(sign.encode())
}
_SPELT: Final = {f" {word} ": f" {other} " for word, other in _RULES["spelt"].items()}
_SYLLABLES: Final = _any({word for syllables in _RULES["syllables"].values() for word in syllables.split()})
_CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_PLAIN: Final = "^[A-Za-z]{2,}$"
_TAIL: Final = 3


def _put(name: pl.Expr, rules: list[dict[str, str]]) -> pl.Expr:
    for rule in rules:
        name = name.str.replace(rule["find"], rule["put"])
    return name


def _single(name: pl.Expr) -> pl.Expr:
    """Each doubled consonant once: what most slips of the key differ in."""
    return once(name, _CONSONANTS)


def _bare(name: pl.Expr) -> pl.Expr:
    """A surname without a silent last E, each doubled consonant once."""
    return _single(_put(name, _RULES["ending"]))


def _lookup(table: dict[str, str], fold: Callable[[pl.Expr], pl.Expr]) -> dict[str, str]:
    """The table, its canonical names among them, by folded spelling."""
    whole = table | {name: name for name in table.values()}
    folded = pl.DataFrame({"name": list(whole)}).select(fold(pl.col("name"))).to_series()
    return dict(zip(folded, whole.values(), strict=True))


NICKNAMES: Final = _table("nicknames.csv")
SURNAMES: Final = _table("surnames.csv")
_FORENAMES: Final = _lookup(NICKNAMES, _single)
_FAMILIES: Final = _lookup(SURNAMES, _bare)


def _words(text: pl.Expr) -> pl.Expr:
    """Capitals without accents, one space between words; hyphens part words, other marks vanish."""
    repaired = text.str.replace_many(_MISREAD, leftmost=True)
    plain = (
        repaired.str.replace_all(f"[{_APOSTROPHES}]", "")
        .str.normalize("NFKD")
        .str.to_uppercase()
        .str.replace_many(_LETTERS)
    )
    current = plain.str.replace(r"(\p{L}[^(\[{]*)[(\[{].*$", "$1")
    spelt = (
        current.str.replace_all(r"0(\p{L})", "O$1")
        .str.replace_all(r"(\p{L})0", "${1}O")
        .str.replace_all(r"1(\p{L})", "I$1")
    )
    parted = spelt.str.replace_all(r"[\s\p{Pd}_.,;:/\\&+|]+", " ").str.replace_all(
        r"[^\p{Lu}\p{Ll}\p{Lo} ]", ""
    )
    single = parted.str.replace_all(" +", " ").str.strip_chars(" ")
    return single.str.replace(f"^(?:{_any(_WORDS['titles'])} )+", "").str.replace(
        f"(?: {_any(_WORDS['suffixes'])})+$", ""
    )


def _spelled(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Each distinct spelling with its `words`; most are one plain word, which only wants capitals."""
    distinct = rows.select(pl.col(column).drop_nulls().unique())
    plain = pl.col(column).str.contains(_PLAIN)
    return pl.concat(
        [
            distinct.filter(plain).with_columns(words=pl.col(column).str.to_uppercase()),
            distinct.filter(~plain).with_columns(words=_words(pl.col(column))),
        ]
    )


def _known(name: pl.Expr, whole: pl.Expr, placeholders: frozenset[str]) -> pl.Expr:
    """`name`, or null where it or the whole entry stands for "not known". Both are read often: give columns.

    One letter repeated does (but for the surnames Ee and Oo), and the XX and ZZ that mark test records.
    """
    unknown = name.is_in(placeholders) | whole.is_in(placeholders) | whole.str.contains("^(?:XX|ZZ)")
    repeated = (name.str.len_chars() > 1) & (name.str.strip_chars(name.str.slice(0, 1)) == "")
    return pl.when((name != "") & ~unknown & ~(repeated & ~name.is_in(["EE", "OO"]))).then(name)


def _longer(name: pl.Expr) -> pl.Expr:
    """`name`, or null where it is one letter. It is read twice: give a column."""
    return pl.when(name.str.len_chars() > 1).then(name)


def _called(words: pl.Expr) -> pl.Expr:
    """The forename in use: behind Mohammed or Syed, with what makes one name with it, without Oluwa."""
    bare = words.str.replace(f"^(?:{_any(_WORDS['honorifics'])} )+(\\p{{L}}{{2}})", "$1")
    served = bare.str.replace(f"^{_any(_WORDS['servant'])} (\\p{{L}}{{2}})", "ABDUL$1")
    joined = served.str.replace(f"^({_SYLLABLES}) ({_SYLLABLES})$", "$1$2")
    return _put(joined.str.extract("^([^ ]+)"), _RULES["forename"])


def forename_parts(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct `forename`, one row a spelling, in no order.

    `gk` the canonical forename in use, `gk3` its first three letters; `g1`, `g3` of the
    first word as written (a lone initial is a `g1` and nothing more); `gS` how its canonical name sounds.
    """
    words, first, whole, name = pl.col("words"), pl.col("first"), pl.col("whole"), pl.col("name")
    plain, called, full, gk = (pl.col(part) for part in ("plain", "called", "full", "gk"))
    unknown = placeholders.names | placeholders.forenames
    return (
        _spelled(rows, "forename")
        .with_columns(
            first=words.str.extract("^([^ ]+)"),
            whole=words.str.replace_all(" ", "", literal=True),
            called=_called(words),
        )
        .with_columns(plain=_single(first), called=_single(called))
        .with_columns(
            name=_known(first, whole, unknown),
            plain=_known(plain, plain, unknown),
            called=_known(called, called, unknown),
        )
        .with_columns(name=pl.when(plain.is_not_null()).then(name))
        .with_columns(full=_longer(name))
        .with_columns(
            gk=pl.when(full.is_not_null()).then(pl.coalesce(_longer(called), plain)).replace(_FORENAMES),
            written=pl.when(full.is_not_null()).then(plain).replace(_FORENAMES),
        )
        .select(
            "forename",
            "gk",
            gk.str.slice(0, 3).alias("gk3"),
            name.str.slice(0, 1).alias("g1"),
            full.str.slice(0, 3).alias("g3"),
            sound(pl.col("written")).alias("gS"),
        )
    )


def _family(name: pl.Expr) -> pl.Expr:
    return _put(name, _RULES["surname"]).replace(_FAMILIES)


def _current(words: pl.Expr) -> pl.Expr:
    """A surname of several words without a former name, a leading Kaur or Singh; El as Al, Saint as St."""
    now = words.str.replace(f"^(.+?) {_any(_WORDS['formerly'])} .*$", "$1")
    own = now.str.replace(f"^(?:{_any(_WORDS['sikh'])} )+", "")
    return (pl.lit(" ") + own + pl.lit(" ")).str.replace_many(_SPELT, leftmost=True).str.strip_chars(" ")


def _barrels(words: pl.Expr) -> pl.Expr:
    """The words of a surname, articles left out and prefixes joined to what follows."""
    bare = words.str.replace_all(f"\\b{_any(_WORDS['articles'])} ", "")
    return bare.str.replace_all(f"\\b({_any(_WORDS['joined'])}) ", "$1")


def _families(names: pl.DataFrame, columns: list[str], placeholders: Placeholders) -> pl.DataFrame:
    """The columns folded, null where not known: a placeholder is one before it is made bare and after."""
    known = [_known(pl.col(column), pl.col(column), placeholders.names) for column in columns]
    bare = names.with_columns(known).with_columns(_bare(pl.col(column)) for column in columns)
    full = bare.with_columns(known).with_columns(_longer(pl.col(column)) for column in columns)
    return full.with_columns(_family(pl.col(column)) for column in columns)


def surname_parts(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct `surname`, one row a spelling, in no order; a lone letter is none.

    `s` the surname as one word, `s3` its first and `sE` its last three letters, `sS` how it sounds; `sk`,
    `sk3` as if it were a forename, for pairs in either order; `sl` its last barrel.
    """
    words, barrels, s = pl.col("words"), pl.col("barrels"), pl.col("s")
    several = words.str.contains(" ", literal=True)
    spelled = _spelled(rows, "surname")
    one = spelled.filter(~several).with_columns(s=words, joined=words, sl=pl.lit(None, pl.String))
    more = (
        spelled.filter(several)
        .with_columns(words=_current(words))
        .with_columns(joined=words.str.replace_all(" ", "", literal=True), barrels=_barrels(words))
        .select(
            "surname",
            "words",
            s="joined",
            joined="joined",
            sl=barrels.str.extract("([^ ]+)$"),
        )
    )
    # a surname that is a forename too is looked up before it loses an ending
    forename = _single(pl.col("joined")).replace_strict(_FORENAMES, default=None, return_dtype=pl.String)
    return (
        pl.concat([_families(one, ["s"], placeholders), _families(more, ["s", "sl"], placeholders)])
        .with_columns(sk=pl.when(s.is_not_null()).then(pl.coalesce(forename, _single(s).replace(_FORENAMES))))
        .select(
            "surname",
            "s",
            s.str.slice(0, 1).alias("s1"),
            s.str.slice(0, 3).alias("s3"),
            sound(s).alias("sS"),
            "sk",
            pl.col("sk").str.slice(0, 3).alias("sk3"),
            sl=pl.when(s.is_not_null()).then(pl.coalesce("sl", s)),
            sE=s.str.tail(_TAIL),
        )
    )
