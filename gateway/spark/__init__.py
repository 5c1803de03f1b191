"""Tokens on Apache Spark, bit for bit those of one process. Only a running engine imports `pyspark`."""

from gateway.spark.engine import make
from gateway.spark.key_file import KeyFile
from gateway.spark.session import LOCAL, local_session

__all__ = ["LOCAL", "KeyFile", "local_session", "make"]
