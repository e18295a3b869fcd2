"""A fingerprint of a snapshot: the same for the same content, on every machine and for every row order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.compute as pc

from riskgraph.snapshot.tables import Table

__all__ = ["digest_of"]


def digest_of(tables: Mapping[str, Table], as_of: str | None) -> str:
    """Hash every stored table, column and ``as_of`` (BLAKE2b, 16 bytes, hexadecimal).

    Rows are sorted by key before they come here; floats enter by their 64 bits, after -0 became 0 and every NaN one
    NaN; labels by their UTF-8 bytes, each with its length; codes by the place of their label among all labels.
    """
    hasher = hashlib.blake2b(digest_size=16)
    _add_text(hasher, f"riskgraph snapshot 1|{as_of or ''}")
    for name in sorted(tables):
        table = tables[name]
        if not len(table):
            continue
        _add_text(hasher, f"{name}|{len(table)}|{','.join(table.names)}")
        for column in table.names:
            if column in table.codes:
                _add_labels(hasher, table.labels[column])
                hasher.update(np.ascontiguousarray(table.codes[column].astype("<i4")).data)
            elif column in table.numbers:
                values = table.numbers[column]
                bits = np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8")
                hasher.update(bits.data)
            else:
                hasher.update(np.ascontiguousarray(table.flags[column]).data)
    return hasher.hexdigest()


def _add_text(hasher: Any, text: str) -> None:
    encoded = text.encode()
    hasher.update(len(encoded).to_bytes(8, "little"))
    hasher.update(encoded)


def _add_labels(hasher: Any, labels: Any) -> None:
    lengths = pc.binary_length(labels).to_numpy(zero_copy_only=False)
    hasher.update(lengths.astype("<i8").data)
    hasher.update("".join(labels.to_pylist()).encode() if len(labels) < 100_000 else _joined(labels))


def _joined(labels: Any) -> bytes:
    """Bytes of all labels one after another, straight from the Arrow buffer."""
    offsets = np.frombuffer(labels.buffers()[1], dtype=np.int64)
    start, end = int(offsets[labels.offset]), int(offsets[labels.offset + len(labels)])
    joined: bytes = labels.buffers()[2][start:end].to_pybytes()
    return joined
