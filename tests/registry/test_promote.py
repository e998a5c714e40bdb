"""The champion moves only by a decision about it, whole or not at all, once."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.gate import Evidence, Ledger, Shown
from shopguide.registry import (
    NoChampionError,
    NotPromotedError,
    champion_bento,
    copy_champion,
    fetch_champion,
    history,
    promote_model,
    read_ledger,
    record_refusal,
    record_run,
    rollback,
)
from shopguide.registry.client import experiment, open_client
from shopguide.spec import Spec, dump_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MakeBundle = Callable[[float], Path]
Decide = Callable[..., Path]


@pytest.fixture
def first(spec: Spec, make_bundle: MakeBundle, decide: Decide) -> Path:
    """A bundle that is champion version 1."""
    bundle = make_bundle(0.1)
    assert promote_model(spec, bundle, decide(bundle, None)) == "1"
    return bundle


def test_there_is_no_champion_at_first(spec: Spec, tmp_path: Path) -> None:
    assert fetch_champion(spec, tmp_path / "champion") is None
    assert list((tmp_path / "champion").iterdir()) == []
    assert history(spec) == []
    assert read_ledger(spec) == Ledger()
    with pytest.raises(NoChampionError, match="there is no champion") as caught:
        copy_champion(spec, tmp_path / "copy")
    assert caught.value.exit_code == 1
    assert not (tmp_path / "copy").exists()
    assert not Path(spec.home).exists(), "who only asks makes no registry"


def test_the_champion_is_fetched_as_it_was_registered(
    spec: Spec, first: Path, tmp_path: Path
) -> None:
    assert fetch_champion(spec, tmp_path / "champion") == "1"
    fetched = load_bundle(tmp_path / "champion")
    assert fetched.manifest.checksum == load_bundle(first).manifest.checksum
    assert fetched.fusion == load_bundle(first).fusion
    assert copy_champion(spec, tmp_path / "copy") == "1"
    assert load_bundle(tmp_path / "copy").manifest == fetched.manifest


def test_promoting_again_changes_nothing(spec: Spec, first: Path, decide: Decide) -> None:
    assert promote_model(spec, first, decide(first, None)) == "1"
    assert [entry.kind for entry in history(spec)] == ["promoted"]


def test_a_better_bundle_follows_and_a_rollback_returns(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path
) -> None:
    second = make_bundle(0.2)
    bento = tmp_path / "bento"
    bento.mkdir()
    blessing = {
        "tag": "tiny:abc",
        "blessed": True,
        "bundle": load_bundle(second).manifest.checksum,
    }
    (bento / "blessing.json").write_text(json.dumps(blessing))
    assert promote_model(spec, second, decide(second, first), bento) == "2"
    assert champion_bento(spec) == ("2", "tiny:abc")
    assert rollback(spec, reason="the page was empty") == "1"
    assert fetch_champion(spec, tmp_path / "champion") == "1"
    newest = history(spec)[0]
    assert (newest.kind, newest.version, newest.is_champion) == ("rollback", "1", True)
    assert newest.reasons == ("the page was empty",)
    assert [e.is_champion for e in history(spec)] == [True, False, False]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"blessed": False, "reasons": ["slow"]}, "the Bento was not blessed: slow"),
        ({"bundle": "0" * 64}, "is about another bundle"),
        ({"tag": None, "blessed": None}, "the Bento was not blessed"),
    ],
)
def test_a_bento_that_was_not_blessed_with_this_bundle_is_not_promoted(
    spec: Spec,
    make_bundle: MakeBundle,
    decide: Decide,
    tmp_path: Path,
    changed: dict[str, object],
    message: str,
) -> None:
    bundle = make_bundle(1.0)
    blessing = {"tag": "t:1", "blessed": True, "bundle": load_bundle(bundle).manifest.checksum}
    (tmp_path / "bento").mkdir()
    (tmp_path / "bento" / "blessing.json").write_text(json.dumps(blessing | changed))
    with pytest.raises(ShopguideError, match=message):
        promote_model(spec, bundle, decide(bundle, None), tmp_path / "bento")
    (tmp_path / "bento" / "blessing.json").write_text("[]")
    with pytest.raises(ShopguideError, match="is not readable"):
        promote_model(spec, bundle, decide(bundle, None), tmp_path / "bento")
    assert fetch_champion(spec, tmp_path / "champion") is None


@pytest.mark.parametrize("verdict", ["refuse", "invalid"])
def test_a_verdict_other_than_promote_moves_nothing(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path, verdict: str
) -> None:
    second = make_bundle(0.2)
    with pytest.raises(NotPromotedError, match=f"the verdict is '{verdict}'") as caught:
        promote_model(spec, second, decide(second, first, verdict))
    assert caught.value.exit_code == 1
    assert fetch_champion(spec, tmp_path / "champion") == "1"


def test_a_decision_about_another_bundle_moves_nothing(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second, third = make_bundle(0.2), make_bundle(0.3)
    with pytest.raises(NotPromotedError, match="it is about the bundle"):
        promote_model(spec, third, decide(second, first))


def test_a_decision_against_a_former_champion_moves_nothing(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second, third = make_bundle(0.2), make_bundle(0.3)
    late = decide(third, first)
    promote_model(spec, second, decide(second, first))
    with pytest.raises(NotPromotedError, match="but the champion is"):
        promote_model(spec, third, late)
    alone = decide(third, None)
    with pytest.raises(NotPromotedError, match="compared with no bundle, but the champion is the"):
        promote_model(spec, third, alone)


def test_a_changed_bundle_is_not_promoted(
    spec: Spec, make_bundle: MakeBundle, decide: Decide
) -> None:
    bundle = make_bundle(0.1)
    decision = decide(bundle, None)
    profile = bundle / "profile.json"
    profile.write_text(profile.read_text().replace("0.5", "0.6"))
    with pytest.raises(ShopguideError, match=r"profile\.json: was changed"):
        promote_model(spec, bundle, decision)


def test_a_promotion_cut_off_before_the_alias_is_taken_up(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path
) -> None:
    second = make_bundle(0.2)
    decision = decide(second, first)
    dying = (
        "import os; from shopguide.registry import promote; "
        "promote._point = lambda *_: os.kill(os.getpid(), 9); "
    )
    process = _start(spec, second, decision, tmp_path, before=dying)
    process.wait(60)
    assert process.returncode == -9
    assert fetch_champion(spec, tmp_path / "champion") == "1"
    assert promote_model(spec, second, decision) == "2"  # and not 3
    assert fetch_champion(spec, tmp_path / "champion") == "2"
    assert [entry.kind for entry in history(spec)] == ["promoted", "promoted"]


@pytest.mark.parametrize("place", ["create_model_version", "set_terminated", "log_metric"])
def test_a_promotion_cut_off_in_its_record_is_taken_up(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path, place: str
) -> None:
    second = make_bundle(0.2)
    decision = decide(second, first)
    dying = (
        "import os; from mlflow import MlflowClient; "
        f"MlflowClient.{place} = lambda *_, **__: os.kill(os.getpid(), 9); "
    )
    assert _start(spec, second, decision, tmp_path, before=dying).wait(60) == -9
    assert fetch_champion(spec, tmp_path / "champion") == "1"
    assert promote_model(spec, second, decision) == "2"
    assert [(entry.kind, entry.version) for entry in history(spec)] == [
        ("promoted", "2"),
        ("promoted", "1"),
    ]
    assert len(_everything_logged(spec)) == 2


@pytest.mark.parametrize("place", ["log_artifact", "set_terminated"])
def test_a_refusal_cut_off_in_its_record_is_taken_up(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path, place: str
) -> None:
    second = make_bundle(0.2)
    decision = decide(second, first, "refuse")
    dump_spec(spec, tmp_path / "spec.yaml")
    code = (
        "import os, sys; from mlflow import MlflowClient; "
        f"MlflowClient.{place} = lambda *_, **__: os.kill(os.getpid(), 9); "
        "from shopguide.registry import record_refusal; from shopguide.spec import load_spec; "
        "record_refusal(load_spec(sys.argv[1]), *sys.argv[2:], reason='gate')"
    )
    command = [sys.executable, "-c", code, tmp_path / "spec.yaml", second, decision]
    assert subprocess.run(command, check=False).returncode == -9
    record_refusal(spec, second, decision, reason="gate")
    assert [entry.kind for entry in history(spec)] == ["refused", "promoted"]
    assert len(_everything_logged(spec)) == 2


def _everything_logged(spec: Spec) -> list[object]:
    client = open_client(spec)
    return list(client.search_runs([experiment(client, spec)]))


def test_of_two_promotions_at_once_one_wins(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide, tmp_path: Path
) -> None:
    bundles = [make_bundle(0.2), make_bundle(0.3)]
    processes = [_start(spec, bundle, decide(bundle, first), tmp_path) for bundle in bundles]
    assert sorted(process.wait(90) for process in processes) == [0, 1]
    assert fetch_champion(spec, tmp_path / "champion") == "2"
    entries = history(spec)
    assert sorted(entry.kind for entry in entries) == ["promoted", "promoted", "refused"]
    (refused,) = [entry for entry in entries if entry.kind == "refused"]
    assert refused.reasons == ("champion_moved",)  # and not lost
    rollback(spec, reason="to the one that both were compared with")
    assert len(read_ledger(spec).of(load_bundle(first).manifest.checksum).looks) == 2


def _start(
    spec: Spec, bundle: Path, decision: Path, folder: Path, before: str = ""
) -> subprocess.Popen[bytes]:
    """Run `shopguide promote` in a process of its own."""
    file = folder / "spec.yaml"
    dump_spec(spec, file)
    code = before + "from shopguide.cli import main; main()"
    options = ["promote", "--spec", file, "--bundle", bundle, "--decision", decision]
    return subprocess.Popen([sys.executable, "-c", code, *options], stdout=subprocess.DEVNULL)


def test_refusals_and_failures_are_in_the_history(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second = make_bundle(0.2)
    record_refusal(spec, second, decide(second, first, "refuse"), reason="gate")
    record_run(spec, run_id="r1", state="FAILED", error="prepare-logs: a.csv, row 3: is empty")
    record_run(spec, run_id="r2", state="SUCCEEDED", error=None)
    entries = history(spec)
    assert [entry.kind for entry in entries] == ["failed", "refused", "promoted"]
    assert entries[0].reasons == ("prepare-logs: a.csv, row 3: is empty",)
    assert entries[1].reasons == ("gain_not_shown",)
    assert entries[1].gain == pytest.approx(0.02)
    assert [entry.is_champion for entry in entries] == [False, False, True]


def test_an_unfair_comparison_is_told_from_a_refusal(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second = make_bundle(0.2)
    record_refusal(spec, second, decide(second, first, "invalid"), reason="gate")
    assert [entry.kind for entry in history(spec)] == ["invalid", "promoted"]
    assert [past.kind for past in read_ledger(spec).history] == ["invalid", "promoted"]


@pytest.mark.usefixtures("first")
def test_a_first_promotion_has_its_gain_over_the_baseline(spec: Spec) -> None:
    (entry,) = history(spec)
    assert (entry.gain, entry.lower) == (None, None)
    assert (entry.baseline_gain, entry.baseline_lower) == pytest.approx((0.02, 0.01))


@pytest.mark.usefixtures("first")
def test_what_cannot_be_rolled_back_to_is_explained(spec: Spec) -> None:
    with pytest.raises(ShopguideError, match="there is no former champion"):
        rollback(spec, reason="x")
    with pytest.raises(ShopguideError, match="no such version; there are 1"):
        rollback(spec, reason="x", to="7")
    with pytest.raises(ShopguideError, match="version 1 is the champion already"):
        rollback(spec, reason="x", to="1")


def test_what_is_no_decision_is_explained(spec: Spec, first: Path, tmp_path: Path) -> None:
    (tmp_path / "decision.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(ShopguideError, match="not a decision of schema"):
        promote_model(spec, first, tmp_path)


def test_an_edited_decision_moves_nothing(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second = make_bundle(0.2)
    file = decide(second, first, "refuse") / "decision.json"
    content = json.loads(file.read_text()) | {"verdict": "promote", "reasons": []}
    file.write_text(json.dumps(content))
    with pytest.raises(ShopguideError, match="was changed after it was written"):
        promote_model(spec, second, file)


def test_the_ledger_has_every_look_at_a_champion_in_their_order(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    assert read_ledger(spec).looks == ()  # a first champion was compared with none
    second, third = make_bundle(0.2), make_bundle(0.3)
    record_refusal(spec, third, decide(third, first, "refuse", 0.01), reason="gate")
    promote_model(spec, second, decide(second, first, "promote", 0.02))
    ledger = read_ledger(spec)
    checksums = {path: load_bundle(path).manifest.checksum for path in (first, second, third)}
    assert [look.alpha for look in ledger.looks] == [0.01, 0.02]
    assert [look.challengers for look in ledger.looks] == [
        (checksums[third],),
        (checksums[second],),
    ]
    assert all(look.run and look.at for look in ledger.looks)
    assert len(ledger.of(checksums[first]).looks) == 2
    assert ledger.of(checksums[second]).looks == ()  # the new champion starts afresh
    assert [past.kind for past in ledger.history] == ["promoted", "refused", "promoted"]
    assert ledger.history[1].reasons == ("gain_not_shown",)
    assert [past.against for past in ledger.history] == ["champion", "champion", "popularity"]
    assert ledger.history[2].gain == pytest.approx(0.02)


def test_the_ledger_has_what_each_look_adds_to_a_sequence(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    shown = Shown(0.0123456789012345, 0.004)
    evidence = Evidence(321, "2024-03-31T23:59:59.123456+00:00", shown, {"ctr": shown})
    second = make_bundle(0.2)
    decision = decide(second, first, "refuse", evidence=evidence)
    record_refusal(spec, second, decision, reason="gate")
    assert [look.evidence for look in read_ledger(spec).looks] == [evidence]


def test_a_step_that_is_repeated_records_nothing_twice(
    spec: Spec, first: Path, make_bundle: MakeBundle, decide: Decide
) -> None:
    second = make_bundle(0.2)
    decision = decide(second, first, "refuse")
    for attempt in ("night-1", "night-1", "night-2"):
        record_refusal(spec, second, decision, reason="gate")
        record_run(spec, run_id="nightly", state="FAILED", error="killed", attempt=attempt)
    assert [entry.kind for entry in history(spec)].count("refused") == 1
    assert [entry.kind for entry in history(spec)].count("failed") == 2
    ledger = read_ledger(spec)
    assert len(ledger.looks) == 1
    assert len(ledger.of(load_bundle(first).manifest.checksum).looks) == 1
