"""Peak memory of a whole `train_mtl`, in a process of its own: rows on disk, 1× and 10×.

python benchmarks/training_memory.py FOLDER RESULT
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import training_shop as shop

from shopguide.features.training_set import seal
from shopguide.spec import check_text

SPEC = """
name: memory
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, cart: cart, purchase: purchase}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks:
  click: {kind: binary, event: click}
  cart: {kind: binary, event: cart, after: click}
  purchase: {kind: binary, event: purchase, after: cart}
features:
  id_inputs: [user_id, item_id]
  item_attributes: {CATEGORIES}
  context: {NUMBERS}
model: {dropout: 0.0, unknown_rate: 0.0}
training: {batch_size: 4096, epochs: 1, max_steps: 80, threads: 2}
objective: {goals: {ctr: {task: click, weight: 1.0}}}
"""
_CHUNK, _VALID_ROWS = 100_000, 50_000


def write(folder: Path, rows: int) -> None:
    """Write a training set of strings and doubles, a chunk at a time."""
    for split, count in (("train", rows), ("valid", _VALID_ROWS)):
        writer: pq.ParquetWriter | None = None
        for start in range(0, count, _CHUNK):
            table = _table(split, start, min(_CHUNK, count - start))
            writer = writer or pq.ParquetWriter(folder / f"{split}.parquet", table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()
    table = _table("test", 0, 1000)
    pq.write_table(table, folder / "test.parquet")
    seal(folder, check_text(spec_text(), where="memory"), {"log_end": "2024-04-01T00:00:00+00:00"})


def _table(split: str, start: int, rows: int) -> pa.Table:
    rng = np.random.default_rng((len(split), start))
    codes = [shop.zipf(rng, size, rows) for size in shop.SIZES]
    chance = 0.3 + 0.4 * (codes[6] % 2)
    labels = np.cumprod(rng.random((rows, 3)) < chance[:, None], axis=1).astype(np.int8)
    text = [pa.array(np.char.mod("v%d", code)) for code in codes]
    columns = {
        "request_id": pa.array(np.char.mod(f"{split}%d", (start + np.arange(rows)) // 10)),
        "user_id": text[0],
        "item_id": text[1],
        "shown_at": pa.array(
            np.full(rows, 1.7e15).astype("datetime64[us]"), pa.timestamp("us", "UTC")
        ),
        "sample_weight": pa.array(np.ones(rows)),
    }
    columns |= {task: pa.array(labels[:, t]) for t, task in enumerate(shop.TASKS)}
    columns |= {f"c{c}": text[c] for c in range(2, len(text))}
    return pa.table(
        columns | {f"n{n}": pa.array(rng.normal(size=rows)) for n in range(shop.NUMBERS)}
    )


def spec_text() -> str:
    """Return the spec that names these columns."""
    categories = ", ".join(f"c{c}: categorical" for c in range(2, len(shop.SIZES)))
    numbers = ", ".join(f"n{n}: numeric" for n in range(shop.NUMBERS))
    return SPEC.replace("CATEGORIES", categories).replace("NUMBERS", numbers)


def main() -> None:
    """Train, and write the peak and the seconds."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    from shopguide.training import train_mtl

    summary = train_mtl(check_text(spec_text(), where="memory"), folder, folder / "model")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.write_text(json.dumps({"peak_mb": peak, "seconds": summary.seconds}))


if __name__ == "__main__":
    main()
