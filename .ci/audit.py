"""Look the locked packages up among known vulnerabilities, where the service can be reached.

Exit 1 when a locked package has one. Where nobody answers, say so: silence must not look like health.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = ("requirements/runtime.lock", "requirements/dev.lock", "requirements/spark.lock")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        requirements = [argument for lock in LOCKS for argument in ("-r", lock)]
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", *requirements]
        subprocess.run(  # noqa: S603 - our own interpreter and arguments
            [*command, "--progress-spinner", "off", "--timeout", "15", "-f", "json", "-o", str(report)],
            check=False,
            capture_output=True,
            timeout=300,
        )
        if not report.exists():
            sys.stdout.write("pip-audit: no vulnerability service answered; nothing was checked\n")
            return 0
        told = json.loads(report.read_text())
    found = [package for package in told["dependencies"] if package.get("vulns")]
    for package in found:
        ids = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
        sys.stdout.write(f"{package['name']} {package['version']}: {ids}\n")
    sys.stdout.write(f"pip-audit: {len(found)} packages with known vulnerabilities\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
