"""A registry in a temporary home, and bundles that differ in their fusion weights."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from shopguide.bundle import (
    Calibrators,
    Contents,
    NumericInput,
    Preprocessing,
    Profile,
    load_bundle,
    with_fusion,
    write_bundle,
)
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod
from shopguide.features.versions import feature_service
from shopguide.files import write_json
from shopguide.fusion import Fusion
from shopguide.gate import Decision, Ledger, Look, Verdict
from shopguide.gate.criteria import reasons_against
from shopguide.gate.decision import (
    SCHEMA,
    BaselineChange,
    Candidate,
    Counts,
    GoalChange,
    Guard,
    ModelEntry,
    ObjectiveChange,
    Period,
)
from shopguide.gate.decision_file import sealed
from shopguide.gate.gains import Gains
from shopguide.gate.reasons import verdict_of
from shopguide.spec import Spec, check_text
from shopguide.spec.gate import Floor, Gate

SPEC = """
name: tiny
home: {home}
data:
  source: events
  path: unused.csv
  columns: {{user_id: u, item_id: i, kind: k, at: t}}
  kinds: {{view: view, click: click}}
split:
  train: {{start: 2024-01-01, end: 2024-02-01}}
  valid: {{start: 2024-02-01, end: 2024-03-01}}
  test: {{start: 2024-03-01, end: 2024-04-01}}
tasks: {{click: {{kind: binary, event: click}}}}
objective: {{goals: {{ctr: {{task: click, weight: 1}}}}}}
"""


class Notes(Document):
    """Stands where training puts its record."""

    rows: int = 2


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return check_text(SPEC.format(home=tmp_path / "home"), where="tiny spec")


@pytest.fixture
def make_bundle(spec: Spec, tmp_path: Path) -> Callable[[float], Path]:
    """Return a function that writes a bundle; another mean makes another checksum."""
    plain = tmp_path / "plain"
    stamp = pa.timestamp("us", "UTC")
    now = datetime(2024, 2, 1, tzinfo=UTC)
    golden = pa.table(
        {
            "price": pa.array([1.0, 2.0]),
            "shown_at": pa.array([now, now], stamp),
            "prediction_click": pa.array([0.5, 0.5]),
        }
    )
    numeric = NumericInput(
        name="price", kind="numeric", log=False, centre=0, scale=1, indicator=False
    )
    contents = Contents(
        spec=spec,
        feature_service=feature_service(spec),
        graph=_graph(),
        preprocessing=Preprocessing(categorical=[], numeric=[numeric]),
        calibrators=Calibrators(tasks={}),
        profile=Profile(
            rows=2,
            train_period=TrainPeriod(start=datetime(2024, 1, 1, tzinfo=UTC), end=now),
            log_end=now,
            label_rates={"click": 0.5},
            inputs={},
        ),
        golden=golden,
        training=Notes(),
        versions={},
    )
    write_bundle(plain, contents)

    def make(mean: float) -> Path:
        out = tmp_path / f"bundle_{mean}"
        with_fusion(plain, out, Fusion("additive", {"click": 1.0}, {"click": mean}))
        return out

    return make


@pytest.fixture
def decide(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the decision that the gate would have written."""

    def write(
        challenger: Path, champion: Path | None, verdict: Verdict = "promote", alpha: float = 0.01
    ) -> Path:
        path = tmp_path / f"decision_{challenger.name}" / "decision.json"
        path.parent.mkdir(exist_ok=True)
        write_json(path, sealed(_decision(challenger, champion, verdict, alpha)).to_json())
        return path.parent

    return write


def _decision(challenger: Path, champion: Path | None, verdict: Verdict, alpha: float) -> Decision:
    judged, held = _entry(challenger), _entry(champion) if champion else None
    asked = 0.0 if verdict == "promote" else 0.015  # of a gain whose lower bound is 0.01
    gate = Gate(min_gain=asked, floors={"click": Floor(auc=0.5)}, baseline="price")
    gains = Gains(
        goals={"ctr": GoalChange("clicks", 1.0, 0.1, 0.102, 0.02, 0.01, 0.03, 0.0, passes=True)},
        objective=ObjectiveChange(0.02, 0.01, 0.03, asked, passes=asked < 0.01) if held else None,
        baseline=BaselineChange("price", 0.02, 0.01, 0.03, 0.0, passes=True, goals={}),
    )
    broken = Guard("golden:challenger", None, 1e-5, "at_most", passes=False)
    guards = (broken,) if verdict == "invalid" else ()
    against = reasons_against(
        *(gains, guards, {}, gate, ()),
        champion=held.checksum if held else None,
        challenger=judged.checksum,
    )
    reasons, because = tuple(r.text for r in against), tuple(r.sentence for r in against)
    parts = (judged, gains.objective, gains.baseline, gains.goals, reasons, because)
    return Decision(
        schema=SCHEMA,
        verdict=verdict_of(against),
        reasons=reasons,
        because=because,
        title="tiny",
        objective=gains.objective,
        goals=gains.goals,
        slices=(),
        guards=guards,
        baseline=gains.baseline,
        tasks={},
        champion=held,
        challenger=judged,
        candidates=(Candidate(*parts, latency_p99_ms=None, chosen=True),),
        tried=1,
        test_set="t" * 64,
        periods={"test": Period("2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z")},
        counts=Counts(users=1, requests=1, impressions=1, events={}),
        confidence=0.95,
        spending=None,
        look=Look(held.checksum, (judged.checksum,), "t" * 64, alpha) if held else None,
        replicates=1000,
        seed=0,
        trade_off=None,
        optimism=None,
        terms={"gate": gate.model_dump(mode="json")},
        notes=(),
        warnings=(),
        versions={},
        ledger=Ledger(),
    )


def _entry(bundle: Path) -> ModelEntry:
    manifest = load_bundle(bundle).manifest
    return ModelEntry(
        manifest.version, manifest.checksum, manifest.feature_service, ("click",), {}, chosen_from=1
    )


def _graph() -> bytes:
    nodes = [
        helper.make_node("Squeeze", ["numeric", "axis"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["click"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["b", 1])],
            [helper.make_tensor_value_info("click", TensorProto.FLOAT, ["b"])],
            [onnx.numpy_helper.from_array(np.array([1]), "axis")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    serialized: bytes = model.SerializeToString()
    return serialized
