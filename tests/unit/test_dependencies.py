"""What comes in from outside: each package with a reason and a licence, and a bill of all of them."""

import importlib.util
import json
import re
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([a-z0-9.-]+) \| ([a-z0-9]+) \| (.{4,}) \|$", re.MULTILINE)


def script(name):
    """A script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences, sbom = script("licences"), script("sbom")
RULES = {"allowed": {"MIT": "y", "Apache-2.0": "y", "BSD": "y"}, "packages": {}}


def package(name="some", **fields):
    told = Message()
    told["Name"] = name
    for field, value in fields.items():
        told[field.replace("_", "-")] = value
    return told


def named(file):
    """The packages that a requirements file names, without versions and extras."""
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return {
        re.match(r"[A-Za-z0-9.-]+", line)[0] for line in lines if line and not line.startswith(("#", "-"))
    }


def test_every_direct_dependency_has_a_reason():
    """docs/dependencies.md names the packages of requirements/*.in, each in its file, and no others."""
    rows = ROW.findall((ROOT / "docs" / "dependencies.md").read_text())
    files = {path.stem: named(path.name) for path in (ROOT / "requirements").glob("*.in")}
    listed = {(file, name) for name, file, _ in rows}
    assert listed == {(file, name) for file, names in files.items() for name in names}
    assert len(rows) == len(listed)


@pytest.mark.parametrize(
    ("fields", "stated"),
    [
        ({"License_Expression": "MIT"}, {"MIT"}),
        ({"License_Expression": "Apache-2.0 OR BSD-3-Clause"}, {"Apache-2.0", "BSD-3-Clause"}),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, {"MIT"}),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, None),
        ({"License": "Apache-2.0"}, {"Apache-2.0"}),
        ({"License": "Copyright\nall rights reserved"}, set()),
        ({}, set()),
    ],
)
def test_a_licence_is_read_from_the_metadata(fields, stated):
    """Expression first, then classifiers, then the old field; a text instead of a name says nothing."""
    found = licences.licences_of(package(**fields))
    assert found == stated if stated is not None else not found & set(RULES["allowed"])


def test_an_unknown_licence_fails():
    """A package that states another licence, or none, is named; so is an exception that nothing needs."""
    packages = [
        package("good", License_Expression="MIT"),
        package("gpl", License="GPL-3.0"),
        package("silent"),
    ]
    rules = RULES | {"packages": {"silent": {}, "good": {}}}
    found = licences.problems(packages, rules)
    assert found == ["gpl: GPL-3.0", "good: an exception that nothing needs"]
    assert licences.problems([package("half", License_Expression="MIT AND GPL-3.0")], RULES)


def test_every_allowance_says_why():
    """Each allowed licence and each exception has a reason."""
    rules = tomllib.loads(licences.RULES.read_text())
    assert all(len(why) > 5 for why in rules["allowed"].values())
    assert all(len(each["why"]) > 5 and each["licence"] for each in rules["packages"].values())


def test_the_bill_names_what_is_locked_and_nothing_of_this_machine(monkeypatch):
    """Each package of the runtime lock with its digests; the same bytes each time; no path, time, address."""
    monkeypatch.chdir(ROOT)
    document = sbom.document(sbom.LOCK)
    text = json.dumps(document, sort_keys=True)
    assert {each["name"].lower() for each in document["components"]} == licences.locked([str(sbom.LOCK)])
    locked = set(re.findall(r"sha256:([0-9a-f]{64})", sbom.LOCK.read_text()))
    assert {each["value"] for part in document["components"] for each in part["properties"]} == locked
    assert not re.search(r"/(home|tmp|root|usr)/|simple/|serialNumber|timestamp", text)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://cyclonedx.org/schema/bom-1.6.schema.json"}
    assert text == json.dumps(sbom.document(sbom.LOCK), sort_keys=True)
    assert sys.prefix not in text
