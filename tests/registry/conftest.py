"""A registry in a temporary home, and bundles that differ in their fusion weights."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.files import write_json
from shopguide.gate import Decision, Evidence, Ledger, Look, Verdict
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
from shopguide.spec import Spec
from shopguide.spec.gate import Floor, Gate
from tests.tiny import tiny_bundle, tiny_spec


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return tiny_spec(tmp_path / "home")


@pytest.fixture
def make_bundle(spec: Spec, tmp_path: Path) -> Callable[[float], Path]:
    """Return a function that writes a bundle; another mean makes another checksum."""
    return partial(tiny_bundle, spec, tmp_path)


@pytest.fixture
def decide(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the decision that the gate would have written."""

    def write(
        challenger: Path,
        champion: Path | None,
        verdict: Verdict = "promote",
        alpha: float = 0.01,
        evidence: Evidence | None = None,
    ) -> Path:
        path = tmp_path / f"decision_{challenger.name}" / "decision.json"
        path.parent.mkdir(exist_ok=True)
        made = _decision(challenger, champion, verdict, alpha)
        if evidence is not None and made.look is not None:
            made = replace(made, look=replace(made.look, evidence=evidence))
        write_json(path, sealed(made).to_json())
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
