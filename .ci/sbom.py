"""What an installation consists of, as CycloneDX 1.6 JSON: `make sbom` writes dist/flagstone.cdx.json.

From the hashed lock alone, so that the same lock gives the same bytes on every machine: no time, no random
serial number, no path, and no address but the package URLs.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path("requirements/runtime.lock")
OUT = Path("dist/flagstone.cdx.json")


def document(lock: Path) -> dict:
    """The components of a lock, with the digests that `pip` holds their files to."""
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "requirements",
        str(lock),
        "--pyproject",
        "pyproject.toml",
    ]
    run = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [*command, "--output-reproducible", "--of", "JSON", "--validate"],
        check=True,
        capture_output=True,
    )
    told = json.loads(run.stdout)
    for component in told["components"]:
        hashes = [each for reference in component["externalReferences"] for each in reference["hashes"]]
        # the tool writes the lock's own line, and an address that it takes for the index
        del component["externalReferences"], component["description"]
        component["properties"] = [
            {"name": "flagstone:lock:sha256", "value": each["content"]} for each in hashes
        ]
        component["bom-ref"] = component["purl"]
    told["components"].sort(key=lambda component: component["purl"])
    del told["metadata"]["tools"]
    root = told["metadata"]["component"]
    told["dependencies"] = [
        {"ref": root["bom-ref"], "dependsOn": [component["purl"] for component in told["components"]]}
    ]
    return told


def main() -> int:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(document(LOCK), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{OUT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
