"""Night after night on simulated shops: the loop beside other ways of replacing the champion.

    python benchmarks/year.py --json                            # 30 nights, 3 shops
    python benchmarks/year.py --nights 365 --seeds 20 --json    # the long form, for days

Each shop drifts. Every night its day lands, a network is trained on what is known, its λ is solved,
and a champion is kept or replaced: by the gate (`loop`), never (`never`), always (`always`), or
when the estimate of J is above zero (`point`). `oracle` ranks by the truth. The real parts of the
library run: days, features, training, solver, gate, registry. On the way a day comes late, one
comes twice, and one comes again with other content. What a way is worth is exact: the simulator's
expectations of the lists of every night's day, as J over all nights relative to `never`. The
intervals are Student's, over shops.

It can be stopped: run again with the same --out, it goes on with the night where it was.
"""

import argparse
import json
import logging
import os
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import t
from year_shop import WAYS, Course, run_shop

LEVEL = 0.95
AGAINST = ("never", "always", "point")


def main() -> None:
    """Run all shops, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3, help="shops to draw")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--drift", type=float, default=1.0, help="over the log, in logits")
    parser.add_argument("--gate", default="confidence_sequence", help="gate.alpha_spending")
    parser.add_argument("--start", default="scratch", choices=["scratch", "champion"])
    parser.add_argument("--out", type=Path, default=Path("runs/year"))
    options = parser.parse_args()
    if options.nights < 8:
        parser.error("--nights: at least 8, so that everything that goes wrong finds its night")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    course = Course(options.nights, options.users, options.gate, options.start, options.drift)
    name = f"{course.nights}-{course.users}-{course.gate}-{course.start}-{course.drift:g}"
    shops, started = [], time.monotonic()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        tell = partial(_tell, seed, started)
        shops.append(run_shop(course, seed, options.out / name / f"shop-{seed}", tell))
    result = summary(shops, course) | {
        "seconds": round(time.monotonic() - started, 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(result) if options.json else text(result))


def summary(shops: list[dict[str, object]], course: Course) -> dict[str, object]:
    """Return the figures over the shops that found a first champion."""
    found = [shop for shop in shops if shop["started"]]
    worth = {way: [shop["objective"][way] for shop in found] for way in WAYS}  # type: ignore[index]
    gains = {
        way: interval([a / b - 1 for a, b in zip(worth["loop"], worth[way], strict=True)])
        for way in (*AGAINST, "oracle")
    }
    counted = {
        kind: {
            way: sum(shop[kind].get(way, 0) for shop in found)  # type: ignore[attr-defined]
            for way in WAYS[:-1]
        }
        for kind in ("promotions", "worse")
    }
    return {
        "benchmark": "year",
        "nights": course.nights,
        "users": course.users,
        "gate": course.gate,
        "start": course.start,
        "drift": course.drift,
        "shops": len(shops),
        "started": len(found),
        "objective": {way: interval([value - 1 for value in worth[way]]) for way in WAYS},
        "loop_over": gains,
        **counted,
        "rows_kept": all(shop["rows"] for shop in found),
        "told": found[0]["told"] if found else [],
        "met": bool(found) and all(gains[way].get("lower", -1.0) > 0 for way in AGAINST),
    }


def interval(values: list[float]) -> dict[str, float]:
    """Return the mean over shops with Student's 95 % interval; of one shop, the value alone."""
    found = np.array(values)
    if not len(found):
        return {}
    mean = float(found.mean())
    if len(found) < 2:
        return {"mean": round(mean, 5)}
    half = float(t.isf((1 - LEVEL) / 2, len(found) - 1) * found.std(ddof=1) / len(found) ** 0.5)
    return {
        "mean": round(mean, 5), "lower": round(mean - half, 5), "upper": round(mean + half, 5)
    }  # fmt: skip


def text(result: dict[str, object]) -> str:
    """Return the figures for a person."""
    lines = [
        f"{result['nights']} nights, {result['started']} of {result['shops']} shops, "
        f"{result['users']} users, gate {result['gate']}, {result['seconds']} s"
    ]
    for way, figures in result["objective"].items():  # type: ignore[attr-defined]
        counted = "".join(
            f", {result[kind].get(way, 0)} {word}"  # type: ignore[attr-defined]
            for kind, word in (("promotions", "replaced"), ("worse", "for a worse one"))
            if way != "oracle"
        )
        lines.append(f"{way:8} J over never {_shown(figures)}{counted}")
    for way, figures in result["loop_over"].items():  # type: ignore[attr-defined]
        lines.append(f"loop over {way:8} {_shown(figures)}")
    lines += [f"told: {line}" for line in result["told"]]  # type: ignore[attr-defined]
    lines.append("met" if result["met"] else "not met: the loop is not shown to beat all three")
    return "\n".join(lines)


def _shown(figures: dict[str, float]) -> str:
    if "lower" not in figures:
        return f"{100 * figures.get('mean', 0):+.2f} %"
    low, high = figures["lower"], figures["upper"]
    return f"{100 * figures['mean']:+.2f} % ({100 * low:+.2f} to {100 * high:+.2f})"


def _tell(seed: int, started: float, what: str) -> None:
    print(f"shop {seed}, {time.monotonic() - started:.0f} s: {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
