"""Policy folders: one file of each room, and the stored document of a set."""

import hashlib
import tempfile
from pathlib import Path

from policies.document import from_document, to_document
from policies.loader import builtin, load

ROOT = Path(tempfile.mkdtemp(prefix="flagstone-policies-"))


def _file(room):
    path = ROOT / room.replace("/", "-") / room
    path.parent.mkdir(parents=True)

    def read(data):
        path.write_bytes(data)
        return load(path.parent.parent)

    return read


def document(data):
    return from_document(data, hashlib.sha256(data).hexdigest())


LAW, FRAMEWORK, DATASET = "law/confidentiality.toml", "frameworks/demo.toml", "datasets/demo-febrl.toml"
WAYS = {"law": _file(LAW), "framework": _file(FRAMEWORK), "dataset": _file(DATASET), "document": document}


def _small_set():
    """The shipped demonstration alone: the whole set is too large to mutate well."""
    from dataclasses import replace

    whole = load(builtin())
    name, framework = "demo-febrl", "demo"
    return replace(
        whole,
        law=dict(list(whole.law.items())[:2]),
        datasets={name: whole.datasets[name]},
        frameworks={framework: whole.frameworks[framework]},
    )


SEEDS = [
    ("law", (builtin() / LAW).read_bytes()),
    ("framework", (builtin() / FRAMEWORK).read_bytes()),
    ("dataset", (builtin() / DATASET).read_bytes()),
    ("document", to_document(_small_set())),
]
