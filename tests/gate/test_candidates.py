"""Several challengers at once, and one champion over several runs, as whole decisions."""

from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.gate import Decision, Ledger, Look, SpendingTerms, decide, read_decision, replay
from shopguide.spec import Spec
from shopguide.spec.gate import AlphaSpending
from tests.gate.conftest import VAGUE, Shop
from tests.gate.test_decide import changed

BETTER = ((0.9, 0.0, 0.4), (0.0, 0.9, 0.4))


def checksum(bundle: Path) -> str:
    return load_bundle(bundle).manifest.checksum


def three(shop: Shop) -> list[Path]:
    return [shop.model("better", BETTER), shop.model("good"), shop.model("alike", VAGUE, seed=12)]


@pytest.fixture(scope="module")
def together(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    out = tmp_path_factory.mktemp("together")
    spec = changed(shop.spec, slices=["region"], max_latency_ms=10_000.0, slice_margin=0.5)
    vague = shop.model("vague", VAGUE, seed=9)
    return out, decide(spec, three(shop), shop.test_set, out, champion=vague)


def test_the_best_of_those_that_pass_is_promoted(
    shop: Shop, together: tuple[Path, Decision]
) -> None:
    decision = together[1]
    assert decision.promote
    assert decision.challenger.checksum == checksum(shop.model("good"))
    assert [candidate.chosen for candidate in decision.candidates] == [False, True, False]
    assert decision.candidates[0].reasons == ()  # it could have been promoted, and is second
    assert decision.candidates[2].reasons == ("gain_not_shown",)
    assert decision.objective == decision.candidates[1].objective
    assert decision.goals == decision.candidates[1].goals


def test_a_candidate_that_may_not_be_promoted_is_not_the_best(shop: Shop, tmp_path: Path) -> None:
    inflated = shop.model("inflated", bias=(1.0, -1.0))
    better = shop.model("a_little_better", ((0.8, 0.0, 0.6), (0.0, 0.8, 0.6)))
    vague = shop.model("vague", VAGUE)
    decision = decide(shop.spec, [inflated, better], shop.test_set, tmp_path, champion=vague)
    first, second = decision.candidates
    assert first.objective is not None
    assert second.objective is not None
    assert first.objective.lower > second.objective.lower
    assert "calibration:click" in first.reasons
    assert second.chosen
    assert decision.promote


def test_each_bound_is_wider_than_alone_and_the_estimate_the_same(
    shop: Shop, together: tuple[Path, Decision], tmp_path: Path
) -> None:
    decision = together[1]
    alone = decide(
        shop.spec,
        shop.model("good"),
        shop.test_set,
        tmp_path,
        champion=shop.model("vague", VAGUE, seed=9),
    )
    assert 0.95 < decision.confidence <= 1 - 0.05 / 3
    assert alone.confidence == pytest.approx(0.95)
    assert decision.objective is not None
    assert alone.objective is not None
    assert decision.objective.estimate == alone.objective.estimate
    assert decision.objective.lower < alone.objective.lower


def test_several_are_replayed_in_any_order(
    shop: Shop, together: tuple[Path, Decision], tmp_path: Path
) -> None:
    vague = shop.model("vague", VAGUE, seed=9)
    replay(together[1], three(shop)[::-1], shop.test_set, tmp_path, champion=vague)
    for name in ("decision.json", "report.md", "report.html"):
        assert (tmp_path / name).read_bytes() == (together[0] / name).read_bytes()
    with pytest.raises(ShopguideError, match="which the decision judged too"):
        replay(together[1], three(shop)[:2], shop.test_set, tmp_path, champion=vague)


def test_candidates_that_are_not_here_keep_their_share(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(
        shop.spec, shop.model("good"), shop.test_set, tmp_path, champion=vague, tried=10
    )
    assert decision.tried == 10
    assert decision.confidence == pytest.approx(1 - 0.05 / 10)


def test_how_many_were_trained_is_told_and_leaves_the_bounds(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    alone = decide(shop.spec, shop.model("good"), shop.test_set, tmp_path / "1", champion=vague)
    best = shop.model("best_of_seven", candidates=7)
    found = decide(shop.spec, best, shop.test_set, tmp_path / "7", champion=vague)
    assert (alone.challenger.chosen_from, found.challenger.chosen_from) == (1, 7)
    assert found.champion is not None
    assert found.champion.chosen_from == 1
    assert (found.tried, found.confidence) == (1, alone.confidence)  # one model met the test period
    assert found.objective == alone.objective
    words = f"{found.challenger.version} is the best of 7 models that were trained"
    for name in ("report.html", "report.md"):
        assert words in (tmp_path / "7" / name).read_text()
        assert "models that were trained" not in (tmp_path / "1" / name).read_text()


def test_a_bundle_of_no_candidates_is_refused(shop: Shop, tmp_path: Path) -> None:
    none = shop.model("none", candidates=0)
    with pytest.raises(ShopguideError, match="greater than or equal to 1") as caught:
        decide(shop.spec, none, shop.test_set, tmp_path)
    assert "training.json candidates" in str(caught.value)


def test_an_error_that_replicates_cannot_show_promotes_nothing(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(
        sharing(shop), shop.model("good"), shop.test_set, tmp_path, champion=vague, tried=18
    )
    assert decision.verdict == "refuse"
    assert decision.reasons == ("error_too_small",)
    assert "9.26e-05 for 1 of 18 candidates" in decision.because[0]
    assert "100,000 replicates show 0.0001 at the least" in decision.because[0]
    assert "gate.replicates to 108,000" in decision.because[0]


def test_a_changed_horizon_is_said_and_spends_what_is_left(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    before = SpendingTerms("bonferroni", 2, 0.05)
    looks = tuple(
        Look(checksum(vague), ("former",), f"earlier {n}", 0.02, spending=before) for n in range(2)
    )
    decision = decide(
        *(sharing(shop), shop.model("good"), shop.test_set, tmp_path),
        champion=vague,
        ledger=Ledger(looks),
    )
    assert decision.spending is not None
    assert decision.spending.alpha == 0  # 3/30 of 0.05 is less than 0.04
    assert decision.spending.spent == pytest.approx(0.04)
    said = "terms of α-spending changed (before: 5\u00a0% by bonferroni over 2 runs)"
    assert any(said in warning for warning in decision.warnings)
    assert "terms of α-spending changed" in (tmp_path / "report.md").read_text()


def test_first_champions_share_the_error_too(shop: Shop, tmp_path: Path) -> None:
    decision = decide(shop.spec, three(shop), shop.test_set, tmp_path)
    assert decision.promote
    assert decision.confidence > 0.95
    assert decision.spending is None
    assert decision.look is None
    assert all(candidate.baseline is not None for candidate in decision.candidates)


@pytest.mark.parametrize(("tried", "what"), [(1, "below the number of challengers, 3")])
def test_fewer_tried_than_given_is_refused(
    shop: Shop, tmp_path: Path, tried: int, what: str
) -> None:
    with pytest.raises(ShopguideError, match=what):
        decide(shop.spec, three(shop), shop.test_set, tmp_path, tried=tried)


def test_a_candidate_given_twice_is_refused(shop: Shop, tmp_path: Path) -> None:
    good = shop.model("good")
    with pytest.raises(ShopguideError, match="is the same bundle as"):
        decide(shop.spec, [good, good], shop.test_set, tmp_path)
    with pytest.raises(ShopguideError, match="none was given"):
        decide(shop.spec, [], shop.test_set, tmp_path)


def test_a_candidate_that_is_the_champion_takes_no_error(shop: Shop, tmp_path: Path) -> None:
    vague, good = shop.model("vague", VAGUE), shop.model("good")
    decision = decide(shop.spec, [good, vague], shop.test_set, tmp_path, champion=vague)
    assert decision.promote
    assert decision.confidence == pytest.approx(0.95, abs=2e-3)
    assert decision.candidates[1].reasons == ("identical",)


def sharing(shop: Shop) -> Spec:
    terms = AlphaSpending(function="bonferroni", horizon=30)
    return changed(shop.spec, alpha_spending=terms)


def test_a_run_takes_its_share_and_says_so(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    decision = decide(sharing(shop), shop.model("good"), shop.test_set, tmp_path, champion=vague)
    assert decision.spending is not None
    assert (decision.spending.look, decision.spending.horizon) == (1, 30)
    assert decision.spending.alpha == pytest.approx(0.05 / 30)
    assert decision.confidence == pytest.approx(1 - 0.05 / 30)
    assert decision.replicates == 6000
    assert decision.look == Look(
        checksum(vague),
        (checksum(shop.model("good")),),
        decision.test_set,
        pytest.approx(0.05 / 30),  # type: ignore[arg-type]  # compares as the float does
        terms=decision.look.terms if decision.look else "",
        spending=SpendingTerms("bonferroni", 30, 0.05),
    )


@pytest.mark.parametrize("what", ["weights", "margins", "seed"])
def test_the_same_models_by_other_terms_are_another_look(
    shop: Shop, tmp_path: Path, what: str
) -> None:
    spec, vague = sharing(shop), shop.model("vague", VAGUE)
    goals = spec.objective.goals
    shares = dict(zip(goals, (0.9, 0.1), strict=True))
    other = {
        "weights": {
            "objective": spec.objective.model_copy(
                update={
                    "goals": {
                        name: goal.model_copy(update={"weight": shares[name]})
                        for name, goal in goals.items()
                    }
                }
            )
        },
        "margins": {"gate": spec.gate.model_copy(update={"margins": dict.fromkeys(goals, 0.2)})},
        "seed": {"seed": spec.seed + 1},
    }[what]
    good, held = shop.model("good"), Ledger()
    looks = []
    for n, terms in enumerate((spec, spec, spec.model_copy(update=other))):
        found = decide(terms, good, shop.test_set, tmp_path / str(n), champion=vague, ledger=held)
        assert found.spending is not None
        looks.append((found.spending.look, found.spending.repeated))
        held = held.with_look(found.look)
    assert looks == [(1, False), (1, True), (2, False)]
    assert len(held.looks) == 2


def test_a_champion_whose_error_is_spent_stays(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    terms = SpendingTerms("bonferroni", 30, 0.05)
    spent = Ledger((Look(checksum(vague), ("former",), "earlier", 0.05, spending=terms),))
    decision = decide(
        sharing(shop), shop.model("good"), shop.test_set, tmp_path, champion=vague, ledger=spent
    )
    assert decision.verdict == "refuse"
    assert decision.reasons == ("no_error_left",)
    assert "run 2 of 30 by bonferroni, 0.05 of 0.05 spent before" in decision.because[0]
    assert decision.confidence == pytest.approx(0.95)  # what is shown when nothing can be promoted


def test_a_ledger_is_part_of_the_decision_and_of_its_replay(shop: Shop, tmp_path: Path) -> None:
    vague = shop.model("vague", VAGUE)
    other = Look("another champion", ("x",), "y", 0.01)
    earlier = Look(checksum(vague), ("former",), "earlier", 0.001, run="r1", at="2024-03-01")
    decision = decide(
        sharing(shop),
        shop.model("good"),
        shop.test_set,
        tmp_path / "a",
        champion=vague,
        ledger=Ledger((other, earlier)),
    )
    assert decision.ledger.looks == (earlier,)
    assert decision.spending is not None
    assert decision.spending.look == 2
    read = read_decision(tmp_path / "a")
    replay(read, shop.model("good"), shop.test_set, tmp_path / "b", champion=vague)
    for name in ("decision.json", "report.md", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_comparison_with_oneself_is_no_look(shop: Shop, tmp_path: Path) -> None:
    good = shop.model("good")
    assert decide(sharing(shop), good, shop.test_set, tmp_path, champion=good).look is None
