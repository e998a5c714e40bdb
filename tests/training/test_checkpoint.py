"""A run that is killed and resumed ends as one that was not; what is no checkpoint is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.spec import Spec, dump_spec
from shopguide.training import Tick, optimizers, train_mtl
from shopguide.training.checkpoint import read_checkpoint, write_checkpoint
from tests.training.changes import with_model, with_training

SLOW_STEPS = """
import sys, time
from shopguide.spec import load_spec
from shopguide.training import Tick, optimizers, train_mtl
spec, training_set, out, checkpoint = sys.argv[1:]
train_mtl(load_spec(spec), training_set, out, checkpoint=checkpoint,
          progress=lambda tick: time.sleep(0.3))
"""


@pytest.fixture(scope="module")
def busy(planted_spec: Spec) -> Spec:
    """Everything that has a state: dropout, decay, tables, momentum, several epochs."""
    return with_training(
        with_model(planted_spec, dropout=0.2, unknown_rate=0.1),
        epochs=3, patience=3, checkpoint_every=7, warmup_steps=5, label_smoothing=0.05,
    )  # fmt: skip


def graph(bundle: Path) -> bytes:
    return (bundle / "model.onnx").read_bytes()


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    busy: Spec, training_set: Path, tmp_path: Path
) -> None:
    train_mtl(busy, training_set, tmp_path / "unbroken")
    spec, checkpoint = tmp_path / "spec.yaml", tmp_path / "checkpoint"
    dump_spec(busy, spec)
    command = [
        sys.executable, "-c", SLOW_STEPS, spec, training_set, tmp_path / "killed", checkpoint
    ]  # fmt: skip
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (checkpoint.is_file() and _steps(checkpoint) >= 35):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed").exists()
    assert 35 <= _steps(checkpoint) < 96, "in the middle of the second or third epoch"
    record = train_mtl(
        busy, training_set, tmp_path / "resumed", checkpoint=checkpoint, resume=True
    ).record
    assert graph(tmp_path / "resumed") == graph(tmp_path / "unbroken")
    unbroken = (tmp_path / "unbroken" / "training.json").read_text()
    assert (tmp_path / "resumed" / "training.json").read_text() == unbroken
    assert record.steps == 96
    assert not checkpoint.exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"unbroken", "resumed", "spec.yaml"}, "nothing else is left behind"


def _steps(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["state"]["steps"])


@pytest.mark.parametrize(
    "changes",
    [
        {"balancer": "famo"},
        {"balancer": "dwa", "checkpoint_every": 40},
        {"balancer": "uncertainty"},
        {"balancer": "upgrad", "balance_every": 5},
        {"balancer": "pcgrad"},
        {"optimizer": "rowwise_adagrad", "clip_norm": 0.5},
        {"precision": "bfloat16"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_kind_of_state_survives(
    busy: Spec,
    training_set: Path,
    tmp_path: Path,
    changes: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimizers, "LARGE", 20)  # users and items here are few
    spec, checkpoint = with_training(busy, **changes), tmp_path / "checkpoint"
    train_mtl(spec, training_set, tmp_path / "unbroken")
    stop(spec, training_set, checkpoint, after=50)
    assert checkpoint.is_file()
    train_mtl(spec, training_set, tmp_path / "resumed", checkpoint=checkpoint, resume=True)
    assert graph(tmp_path / "resumed") == graph(tmp_path / "unbroken")


def stop(spec: Spec, training_set: Path, checkpoint: Path, *, after: int) -> None:
    """Train, and end in the middle of a step."""

    def end(tick: Tick) -> None:
        if tick.step >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_mtl(spec, training_set, checkpoint.parent / "no", checkpoint=checkpoint, progress=end)


def test_the_checkpoint_of_another_spec_is_refused_by_the_fields_that_differ(
    busy: Spec, training_set: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    stop(busy, training_set, checkpoint, after=20)
    other = with_training(with_model(busy, experts=3), learning_rate=0.5)
    with pytest.raises(ShopguideError) as caught:
        train_mtl(other, training_set, tmp_path / "m", checkpoint=checkpoint, resume=True)
    assert "model.experts (2, now 3), training.learning_rate (0.01, now 0.5)" in caught.value.what
    assert str(checkpoint) in caught.value.where
    assert "--resume" in caught.value.fix
    same = with_training(busy, threads=2, checkpoint_every=None)  # these change no result's meaning
    train_mtl(same, training_set, tmp_path / "m", checkpoint=checkpoint, resume=True)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    for content in (b"", b"nonsense", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(ShopguideError, match=r"checkpoint: is no whole checkpoint.*--resume"):
            read_checkpoint(path, {})


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    path, trap = tmp_path / "checkpoint", tmp_path / "trapped"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (trap,)

    torch.save({"format": 1, "identity": "{}", "state": Trap()}, path)
    with pytest.raises(ShopguideError, match="is no whole checkpoint"):
        read_checkpoint(path, {})
    assert not trap.exists()


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "checkpoint"
    assert write_checkpoint(path, {"step": 1, "weights": torch.ones(3)}, {"a": 1})
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # what a full disk does
    try:
        assert not write_checkpoint(path, {"step": 2, "weights": torch.ones(10_000)}, {"a": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)
    assert read_checkpoint(path, {"a": 1})["step"] == 1
    assert list(tmp_path.iterdir()) == [path]
    assert "training goes on" in caplog.text


def test_without_a_checkpoint_to_resume_the_run_starts_at_the_beginning(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    spec = with_training(planted_spec, max_steps=3)
    run = train_mtl(spec, training_set, tmp_path / "m", checkpoint=tmp_path / "none", resume=True)
    assert run.record.steps == 3
    assert load_bundle(tmp_path / "m").golden_difference() <= 1e-6


def test_a_flipped_bit_of_a_weight_is_no_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    assert write_checkpoint(path, {"w": torch.ones(5000)}, {"seed": 0})
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(100).numpy().tobytes())] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(ShopguideError, match="no whole checkpoint"):
        read_checkpoint(path, {"seed": 0})
