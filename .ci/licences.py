"""Every locked package that is installed here comes under a licence that .ci/licences.toml allows.

Exit 1 names each package whose licence is unknown or not allowed, and each exception that nothing needs.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

RULES = Path(__file__).with_name("licences.toml")
LOCKS = (
    "requirements/build.lock",
    "requirements/runtime.lock",
    "requirements/keys.lock",
    "requirements/dev.lock",
)
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What PyPI's classifiers say, as SPDX ids; not those of the GPL family, which are judged one by one."""
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")


def licences_of(package: metadata.PackageMetadata) -> set[str]:
    """SPDX ids that a package states of itself: of alternatives all, and none where it is silent."""
    said = package.get("License-Expression") or ""
    if not said:
        classifiers = package.get_all("Classifier") or []
        last = [
            each.rpartition(" :: ")[2]
            for each in classifiers
            if each.startswith("License :: OSI Approved ::")
        ]
        if last:
            return {CLASSIFIERS.get(each, each) for each in last}
        said = package.get("License") or ""
        if "\n" in said or len(said) > 40:  # noqa: PLR2004 - the text of a licence, not its name
            return set()
    return set(_SPDX.findall(said)) - {"AND", "OR", "WITH"}


def problems(packages: Iterable[metadata.PackageMetadata], rules: dict) -> list[str]:
    """A line for each package that may not come in, and for each exception that is not needed."""
    found, needed = [], set()
    for package in packages:
        name = package["Name"].lower().replace("_", "-")
        stated = licences_of(package)
        if stated and stated <= set(rules["allowed"]):
            continue
        needed.add(name)
        if name not in rules["packages"]:
            found.append(f"{name}: {', '.join(sorted(stated)) or 'it states no licence'}")
    stale = set(rules["packages"]) - needed
    return found + [f"{name}: an exception that nothing needs" for name in sorted(stale)]


def locked(locks: Iterable[str]) -> set[str]:
    """Names of the packages that lock files pin."""
    lines = (line for lock in locks for line in Path(lock).read_text(encoding="utf-8").splitlines())
    return {match[1].lower() for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)(\[.*\])?==", line))}


def main() -> int:
    names = locked(LOCKS)
    installed = {
        each.metadata["Name"].lower().replace("_", "-"): each.metadata for each in metadata.distributions()
    }
    ours = [installed[name] for name in sorted(names & installed.keys())]
    found = problems(ours, tomllib.loads(RULES.read_text(encoding="utf-8")))
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"licences: {len(ours)} packages, {len(found)} problems\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
