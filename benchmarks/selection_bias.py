"""Sample-selection bias: P(purchase | click) by an entire-space funnel, and by clicked rows alone.

    python benchmarks/selection_bias.py --json

On shops of the simulator, whose true probabilities are known: (a) `entire_space` learns
click → purchase over all impressions (ESMM, Ma et al. 2018), and its conditional probability is
p(purchase) ÷ p(click); (b) `naive` learns purchases from the clicked rows only. Both have the same
inputs, layers, seeds and rows to stop and to calibrate by (the naive one those of them that were
clicked). Both are held against the true P(purchase | click) of every impression of the test
period, of the clicked ones, and of those that were not clicked. Each seed is another shop. In shops
of `selected` clicks the tastes for clicking and for buying correlate by 0.8: who clicks would buy.
In `unselected` ones they do not correlate.

RMSE is of the logit and of the probability; `spread_logit` is what is left of the first when the
mean error is taken out; `spearman` is the rank correlation, `ratio` the mean prediction ÷ the mean
truth. The gain is naive − entire space (of ratios: of |log ratio|), for Spearman entire space −
naive: above 0, the entire space is nearer to the truth. Intervals are Student's, 95 %, over seeds.
`met`: in shops of selected clicks, on all impressions, the interval of the gain in RMSE of the
logit is above 0.

No model sees the tastes themselves, so among rows that look alike the clicked ones buy more.
Neither way of training corrects for that (ratios above 1): with rows without end both learn
P(purchase | click) of the rows that were clicked. What the entire space can gain is what its shared
embeddings learn from clicks, and from rows without one.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr, t

from shopguide.bundle import load_bundle
from shopguide.features import materialize_features
from shopguide.features.training_set import SUMMARY, seal
from shopguide.logs import prepare_logs
from shopguide.logs.simulator import simulate
from shopguide.spec import Spec, check_text, load_spec
from shopguide.spec.simulator import Simulator
from shopguide.training import train_mtl

SPEC = Path(__file__).resolve().parent.parent / "specs" / "simulator.yaml"
MODELS = ("entire_space", "naive")
MEASURES = ("rmse_logit", "spread_logit", "rmse_probability", "spearman", "ratio")
AGREEMENT = {"selected": 0.8, "unselected": 0.0}
FIRST_SEED = 40  # what is compared, and the sizes, were chosen on shops below 40
LEVEL, _LEAST = 0.95, 1e-4
Array = NDArray[np.float64]
Figures = dict[str, dict[str, dict[str, float]]]
"""By impressions and model, the measures of a run."""
Summary = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By impressions, measure and model (or `gain`), the mean over seeds and its interval."""


def shop_spec(home: Path, seed: int, users: int, agreement: float) -> Spec:
    """Return a small shop's spec: click, then purchase; the model is the entire-space one."""
    small = {
        "home": home, "seed": seed, "data.seed": seed, "data.users": users,
        "data.agreement": agreement, "training.epochs": 6, "training.learning_rate": 3e-3,
        "training.batch_size": 1024, "model.architecture": "esmm",
        "model.hidden": "[64, 32]", "model.tower": "[]",
    }  # fmt: skip
    spec = load_spec(SPEC, overrides=[f"{name}={value}" for name, value in small.items()])
    document = spec.model_dump(mode="json")
    tasks = {name: document["tasks"][name] for name in ("click", "purchase")}
    tasks["purchase"]["after"] = "click"
    return _with(document, tasks)


def naive_spec(spec: Spec) -> Spec:
    """Return the spec of a model of purchases alone."""
    document = spec.model_dump(mode="json")
    document["model"]["architecture"] = "single_task"
    return _with(document, {"purchase": document["tasks"]["purchase"] | {"after": None}})


def _with(document: dict, tasks: dict) -> Spec:  # type: ignore[type-arg]  # JSON
    document["tasks"] = tasks
    document["objective"]["goals"] = {"conversion": {"task": "purchase", "weight": 1.0}}
    document["gate"] |= {"margins": {}, "floors": {}}
    return check_text(json.dumps(document), where="benchmark")


def clicked_only(spec: Spec, folder: Path, out: Path) -> Path:
    """Write the training set of the impressions that were clicked."""
    out.mkdir()
    for split in ("train", "valid", "test"):
        table = pq.read_table(folder / f"{split}.parquet")
        pq.write_table(table.filter(pc.equal(table["click"], 1)), out / f"{split}.parquet")
    log_end = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["log_end"]
    seal(out, spec, {"log_end": log_end})
    return out


def compared(predicted: Array, truth: Array) -> dict[str, float]:
    """Return how far a prediction is from the truth, both probabilities [N]."""
    return {
        "rmse_logit": _rms(_logit(predicted) - _logit(truth)),
        "spread_logit": float(np.std(_logit(predicted) - _logit(truth))),
        "rmse_probability": _rms(predicted - truth),
        "spearman": float(spearmanr(predicted, truth).statistic),
        "ratio": float(predicted.mean() / truth.mean()),
    }


def _rms(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _logit(p: Array) -> Array:
    held = np.clip(p, _LEAST, 1 - _LEAST)
    return np.log(held / (1 - held))


def of_seed(seed: int, users: int, agreement: float) -> Figures:
    """Draw a shop, train both models on it, and return their figures by impressions and model."""
    with tempfile.TemporaryDirectory() as scratch:
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)  # of ibis 12
        folder = Path(scratch)
        spec = shop_spec(folder / "home", seed, users, agreement)
        prepare_logs(spec, folder / "log")
        materialize_features(spec, folder / "log", folder / "all")
        naive = naive_spec(spec)
        clicked = clicked_only(naive, folder / "all", folder / "clicked")
        train_mtl(spec, folder / "all", folder / "entire_space")
        train_mtl(naive, clicked, folder / "naive")
        test = pq.read_table(folder / "all" / "test.parquet")
        entire = load_bundle(folder / "entire_space").predict(test)
        predicted = {
            "entire_space": np.minimum(entire["purchase"] / entire["click"], 1.0),
            "naive": load_bundle(folder / "naive").predict(test)["purchase"],
        }
    assert isinstance(spec.data, Simulator)
    shop = simulate(spec.data)
    truth = shop.truth_of(test, "purchase") / shop.truth_of(test, "click")
    click = test["click"].to_numpy() == 1
    shown = {"all": np.ones_like(click), "clicked": click, "not_clicked": ~click}
    return {
        where: {name: compared(values[rows], truth[rows]) for name, values in predicted.items()}
        for where, rows in shown.items()
    }


def gain(measure: str, entire: float, naive: float) -> float:
    """Return by how much the entire space is nearer to the truth."""
    if measure == "spearman":
        return entire - naive
    if measure == "ratio":
        return float(abs(np.log(naive)) - abs(np.log(entire)))
    return naive - entire


def with_interval(values: list[float]) -> dict[str, float]:
    """Return the mean over seeds and its 95 % interval; of one seed, the value alone."""
    found = np.array(values)
    mean = float(found.mean())
    if len(found) < 2:
        return {"mean": round(mean, 4)}
    half = float(t.isf((1 - LEVEL) / 2, len(found) - 1) * found.std(ddof=1) / len(found) ** 0.5)
    return {
        "mean": round(mean, 4), "lower": round(mean - half, 4), "upper": round(mean + half, 4)
    }  # fmt: skip


def summary(runs: list[Figures]) -> Summary:
    """Return each model's figures and the gains, over the seeds, by impressions and measure."""
    return {
        where: {
            measure: {
                **{n: with_interval([r[where][n][measure] for r in runs]) for n in MODELS},
                "gain": with_interval(
                    [gain(measure, *(r[where][n][measure] for n in MODELS)) for r in runs]
                ),
            }
            for measure in MEASURES
        }
        for where in runs[0]
    }


def main() -> None:
    """Run all seeds, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--seeds", type=int, default=12, help="shops to draw, of each kind")
    parser.add_argument("--users", type=int, default=1200)
    options = parser.parse_args()
    found, started = {}, time.monotonic()
    for kind, agreement in AGREEMENT.items():
        runs = []
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            runs.append(of_seed(seed, options.users, agreement))
            print(f"{kind}, shop {seed}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        found[kind] = summary(runs)
    first = found["selected"]["all"]["rmse_logit"]["gain"]
    result = {
        "benchmark": "selection_bias",
        "seeds": options.seeds,
        "users": options.users,
        "seconds_per_seed": round((time.monotonic() - started) / options.seeds / len(found), 1),
        "cores": os.cpu_count(),
        **found,
        "shown_nearer": {kind: nearer(shown["all"]) for kind, shown in found.items()},
        "met": first.get("lower", 0.0) > 0,
    }
    if options.json:
        print(json.dumps(result))
        return
    print_figures(found)
    for kind, shown in found.items():
        for name, measures in nearer(shown["all"]).items():
            print(f"{kind}, all impressions, nearer: {name} by {', '.join(measures) or 'none'}")
    print("met" if result["met"] else "not met: the entire space is not shown to be better")


def nearer(figures: dict[str, dict[str, dict[str, float]]]) -> dict[str, list[str]]:
    """Return by which measures each model is shown to be the nearer one, and by which neither."""
    found: dict[str, list[str]] = {"entire_space": [], "naive": [], "neither": []}
    for measure, values in figures.items():
        gained = values["gain"]
        lower, upper = gained.get("lower", -np.inf), gained.get("upper", np.inf)
        found["entire_space" if lower > 0 else "naive" if upper < 0 else "neither"].append(measure)
    return found


def print_figures(found: dict[str, Summary]) -> None:
    """Print a line for each kind of shop, impressions and measure."""
    names = (*MODELS, "gain")
    print(f"{'clicks':12}{'impressions':13}{'measure':18}{''.join(f'{name:30}' for name in names)}")
    for kind, shown in found.items():
        for where, measures in shown.items():
            for measure, figures in measures.items():
                cells = "".join(f"{_shown(figures[name]):30}" for name in names)
                print(f"{kind:12}{where:13}{measure:18}{cells}".rstrip())


def _shown(found: dict[str, float]) -> str:
    if "lower" not in found:
        return f"{found['mean']:+.4f}"
    return f"{found['mean']:+.4f} ({found['lower']:+.4f} to {found['upper']:+.4f})"


if __name__ == "__main__":
    main()
