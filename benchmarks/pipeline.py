"""What orchestration costs: the compiled pipeline beside the same library calls in one process.

    python benchmarks/pipeline.py --json

Both ways run the example shop from its log to a champion in a home of their own, each from a fresh
interpreter, in turns (`--repeats`, whichever goes first alternates). The pipeline is
`python -m pipelines run`: each step in a process of its own, with the imports of its own, what it
gets and gives in files, progress and results gathered. The other way calls the functions that the
components call, in their order, in one process.

Before timing counts, both must reach the same verdict, by gains that differ by 0.001 at most.
`overhead` is the median over repeats of pipeline ÷ one process, both wall seconds. `met`: ≤ 1.3.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "specs" / "complete_journey.yaml"
MOST_OVERHEAD, MOST_DIFFERENCE = 1.3, 1e-3
INNER = "--in-one-process"


def one_process(spec_path: Path, profile: str, home: Path, out: Path) -> dict[str, object]:
    """Do what the components do, without them; return the verdict and the gain."""
    from shopguide.bundle.choice import choose_candidate
    from shopguide.features import materialize_features, materialize_online
    from shopguide.features.catalogue import check_names
    from shopguide.gate import decide
    from shopguide.logs import prepare_logs
    from shopguide.objective import solve_objective
    from shopguide.packaging import package_bento
    from shopguide.registry import fetch_champion, promote_model, read_ledger, record_refusal
    from shopguide.spec import load_spec
    from shopguide.spec.candidates import candidate_specs
    from shopguide.training import train_candidate
    from shopguide.validation import validate_data

    spec = load_spec(spec_path, profile=profile or None, overrides=[f"home={home}"])
    check_names(spec)
    out.mkdir(parents=True)
    log, rows, solved, decision = (out / name for name in ("log", "rows", "solved", "decision"))
    prepare_logs(spec, log)
    materialize_features(spec, log, rows)
    assert validate_data(spec, log, rows, out / "data.html").passes
    materialize_online(spec)
    bundles = []
    for candidate in candidate_specs(spec):
        bundles.append(out / f"model_{candidate.name}")
        train_candidate(spec, rows, bundles[-1], candidate.name)
    choose_candidate(bundles, out / "chosen")
    version = fetch_champion(spec, out / "champion")
    solve_objective(
        spec, out / "chosen", rows, solved, champion=out / "champion", page=out / "front.html"
    )
    verdict = decide(
        spec,
        solved,
        rows,
        decision,
        champion=out / "champion",
        champion_version=version,
        ledger=read_ledger(spec),
    )
    if not verdict.promote:
        record_refusal(spec, solved, decision, reason="gate")
    elif package_bento(spec, solved, rows, out / "bento").blessed:
        promote_model(spec, solved, decision, out / "bento")
    else:
        record_refusal(spec, solved, decision, reason="blessing")
    return judged(decision)


def judged(folder: Path) -> dict[str, object]:
    """Return the verdict of a decision, and the gain that it found."""
    content = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
    return {
        "verdict": content["verdict"],
        "gain": (content["objective"] or content["baseline"])["estimate"],
    }


def timed(command: list[str]) -> tuple[float, dict[str, object]]:
    """Run a command; return its wall seconds and the JSON of its last line."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr[-2000:]
    return seconds, json.loads(done.stdout.splitlines()[-1])


def pipeline(spec: Path, profile: str, folder: Path) -> tuple[float, dict[str, object]]:
    """Time the compiled pipeline; return the verdict and the gain with it."""
    command = [sys.executable, "-m", "pipelines", "run", "--spec", str(spec), "--json"]
    command += ["--out", str(folder / "out"), "--set", f"home={folder}/home"]
    command += ["--profile", profile] if profile else []
    seconds, told = timed(command)
    return seconds, judged(folder / "out") | {"steps": told["steps"]}


def library(spec: Path, profile: str, folder: Path) -> tuple[float, dict[str, object]]:
    """Time the same calls in one process."""
    # -P: the benchmarks beside this file would stand before the packages of their names
    command = [sys.executable, "-P", str(Path(__file__).resolve()), INNER, str(folder)]
    return timed([*command, "--spec", str(spec), "--profile", profile])


def compared(spec: Path, profile: str, repeats: int) -> dict[str, object]:
    """Run both ways in turns; return seconds, their ratio, and where the pipeline's went."""
    whole: list[float] = []
    alone: list[float] = []
    steps: dict[str, dict[str, float]] = {}
    for repeat in range(repeats):
        found = {}
        ways = [pipeline, library] if repeat % 2 == 0 else [library, pipeline]
        for way in ways:
            with tempfile.TemporaryDirectory(prefix="shopguide-bench-") as folder:
                seconds, found[way.__name__] = way(spec, profile, Path(folder))
            (whole if way is pipeline else alone).append(seconds)
        ours, theirs = found["pipeline"], found["library"]
        assert ours["verdict"] == theirs["verdict"], found
        assert abs(float(str(ours["gain"])) - float(str(theirs["gain"]))) <= MOST_DIFFERENCE, found
        told = ours["steps"]
        assert isinstance(told, dict)
        steps = told
    ratios = [a / b for a, b in zip(whole, alone, strict=True)]
    return {
        "overhead": round(statistics.median(ratios), 3),
        "overhead_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "pipeline_seconds": round(statistics.median(whole), 1),
        "one_process_seconds": round(statistics.median(alone), 1),
        "within_steps_seconds": round(sum(step["seconds"] for step in steps.values()), 1),
        "steps": {name: step["seconds"] for name, step in steps.items()},
    }


def main() -> None:
    """Run both ways, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--repeats", type=int, default=3, help="of both ways")
    parser.add_argument("--spec", type=Path, default=SPEC, help="a shop that can be promoted")
    parser.add_argument("--profile", default="quick", help="of the spec; empty: its own")
    parser.add_argument(INNER, type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    inner = options.in_one_process
    if inner is not None:
        print(json.dumps(one_process(options.spec, options.profile, inner / "home", inner / "out")))
        return
    measured = compared(options.spec, options.profile, options.repeats)
    result = {
        "benchmark": "pipeline",
        **measured,
        "repeats": options.repeats,
        "profile": options.profile,
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version()},
        "met": float(str(measured["overhead"])) <= MOST_OVERHEAD,
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
