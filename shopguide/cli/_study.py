"""`shopguide train --study`."""

from pathlib import Path
from typing import TYPE_CHECKING

from shopguide.cli._training import progress
from shopguide.cli.common import print_json, stderr, stdout
from shopguide.spec import Spec

if TYPE_CHECKING:
    from shopguide.training.study import TrialRecord


def run_study_command(
    spec: Spec, training_set: Path, out: Path, trials: int, *, as_json: bool
) -> None:
    """Run a study, a line for each trial on standard error, and print what came of it."""
    from shopguide.training import Surroundings
    from shopguide.training.study import run_study

    def told(trial: "TrialRecord") -> None:
        stderr.print(f"trial {trial.number} of {trials}: {_said(trial)}", highlight=False)

    with progress() as report:
        found = run_study(spec, training_set, out, trials, around=Surroundings(report), told=told)
    best = found.trials[found.best - 1]
    if as_json:
        print_json({"bundle": str(out), **found.model_dump(mode="json")})
        return
    counts = ", ".join(
        f"{number} {state}"
        for state in ("finished", "stopped", "diverged")
        if (number := sum(trial.state == state for trial in found.trials))
    )
    stdout.print(
        f"{out}: trial {best.number}, the best of {found.tried} ({counts})\n  {_said(best)}\n"
        f"{out}.study.json: all trials",
        highlight=False,
    )


def _said(trial: "TrialRecord") -> str:
    loss = "" if trial.valid_loss is None else f", validation loss {trial.valid_loss:.4f}"
    settings = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.settings.items()
    )
    return f"{trial.state} after {trial.epochs} epochs{loss}; {settings}"
