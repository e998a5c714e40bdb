"""Two processes train the model that one trains with twice the batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.spec import Spec, dump_spec
from shopguide.training import optimizers, train_mtl
from shopguide.training.distributed import process_group
from tests.training.changes import with_model, with_training

RUN = """
import sys
from shopguide.spec import load_spec
from shopguide.training import optimizers, train_mtl
optimizers.LARGE = 20
spec, training_set, out = sys.argv[1:]
train_mtl(load_spec(spec), training_set, out)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"balancer": "upgrad"},
        {"balancer": "famo", "optimizer": "rowwise_adagrad", "clip_norm": 1.0},
    ],
    ids=["upgrad", "famo-rowwise"],
)
def test_two_processes_equal_one_with_twice_the_batch(
    planted_spec: Spec,
    training_set: Path,
    tmp_path: Path,
    changes: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizers, "LARGE", 20)  # users and items here are few
    plain = with_training(
        with_model(planted_spec, unknown_rate=0.0), epochs=2, learning_rate=0.003, **changes
    )
    spec, script = tmp_path / "spec.yaml", tmp_path / "run.py"
    dump_spec(with_training(plain, batch_size=256), spec)
    script.write_text(RUN)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        script, spec, training_set, tmp_path / "two",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    train_mtl(with_training(plain, batch_size=512), training_set, tmp_path / "one")
    one, two = (json.loads((tmp_path / n / "training.json").read_text()) for n in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["steps"] == two["steps"] == 32
    # batch norm is over both processes' rows; sums in another order differ by float32's rounding,
    # which 32 steps carry on
    for first, second in zip(one["epochs"], two["epochs"], strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=2e-4)
        assert second["valid_losses"] == pytest.approx(first["valid_losses"], rel=1e-3)
        assert second["task_weights"] == pytest.approx(first["task_weights"], rel=1e-2)
    table = pq.read_table(training_set / "test.parquet")
    predictions = [load_bundle(tmp_path / name).predict_raw(table) for name in ("one", "two")]
    for task in ("click", "purchase"):
        difference = np.abs(predictions[0][task] - predictions[1][task])
        assert difference.max() < 0.02, task


def test_a_number_of_processes_that_rows_cannot_be_dealt_to_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with (
        pytest.raises(ShopguideError, match=r"torchrun: started 3 processes, can use 1, 2, 4, 8"),
        process_group(),
    ):
        pass
