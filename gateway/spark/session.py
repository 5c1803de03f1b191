"""A Spark session on this machine that shows and keeps as little as it can."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from gateway.domain.errors import ConfigurationError

LOCAL: Final = "local[*]"
BATCH: Final = 100_000
"""Rows in an Arrow batch: enough to spread Polars' overhead, few enough for many tasks beside each other."""

PRIVACY: Final = {
    "spark.ui.enabled": "false",
    "spark.eventLog.enabled": "false",
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.io.encryption.enabled": "true",
}
"""What a cluster's session needs too: nothing shown, and what Spark sends or puts on a disk encrypted."""

READING: Final = {
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH),
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.session.timeZone": "UTC",
    # every core has a task of its own: Polars beside it must not start a thread for each core again
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
}
"""What makes Spark read as Polars does."""

_ON_LOOPBACK: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
# a failed task's text is not ours alone, so Java logs nothing: what went wrong comes back as an exception.
# Without an appender Spark takes its own settings instead of these
_SILENT: Final = """\
appender.none.type = Null
appender.none.name = none
rootLogger.level = off
rootLogger.appenderRef.none.ref = none
logger.repl.name = org.apache.spark.repl.Main
logger.repl.level = off
"""


def check_installed() -> None:
    """Refuse before any work.

    Raises:
        ConfigurationError: the extra or Java is missing.
    """
    if not all(find_spec(package) for package in ("pyspark", "pyarrow", "pandas")):
        raise ConfigurationError(
            "the Spark engine is not installed",
            place="engine spark",
            way_out="pip install 'flagstone[spark]'",
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and Path(home, "bin", "java").exists()):
        raise ConfigurationError(
            "Spark needs Java 17 or newer",
            place="engine spark",
            way_out="sudo apt install default-jre-headless",
        )


@contextmanager
def local_session(folder: Path, *, master: str = LOCAL, memory: str = "2g") -> Iterator[Any]:
    """A `SparkSession` whose files stand in a folder of its own, mode 0700, within `folder`; gone afterwards.

    `memory` is Java's; each core has a Python process beside it.

    Raises:
        ConfigurationError: the extra or Java is missing.
    """
    check_installed()
    with tempfile.TemporaryDirectory(prefix=".spark-", dir=folder) as own:
        session = _start(Path(own), master, memory)
        try:
            yield session
        finally:
            session.stop()
            _end_java()


def _start(own: Path, master: str, memory: str) -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra: a machine without it does all else

    log = own / "log4j2.properties"
    log.write_text(_SILENT, encoding="utf-8")
    options = {
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log} -XX:-UsePerfData",
        "spark.local.dir": str(own),
        "spark.sql.warehouse.dir": str(own / "warehouse"),
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(master).appName("flagstone tokens")
    session = builder.config(map=PRIVACY | READING | _ON_LOOPBACK | options).getOrCreate()
    session.sparkContext.pythonExec = sys.executable  # else whatever `python3` is on the path
    return session


def _end_java() -> None:
    """PySpark keeps Java for the next session, with this one's options, until Python ends."""
    from pyspark import SparkContext  # noqa: PLC0415 - see _start

    gateway = SparkContext._gateway  # noqa: SLF001 - PySpark has no public way
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()  # how PySpark's own Java learns that its parent has ended
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 - see above
