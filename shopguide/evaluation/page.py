"""An evaluation as files: evaluation.json and one self-contained page."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shopguide.evaluation import charts
from shopguide.evaluation.result import Evaluation
from shopguide.files import json_text, write_texts

EVALUATION, PAGE = "evaluation.json", "evaluation.html"

METRICS = {
    "auc": ("AUC", "a row with the outcome is scored above one without; .5 is chance"),
    "gauc": ("GAUC", "the same within each user, weighted by impressions"),
    "pr_auc": ("PR-AUC", "average precision; the share of rows with the outcome is chance"),
    "log_loss": ("log-loss", "nats an impression, lower is better"),
    "normalised_entropy": ("NE", "log-loss over that of always predicting the mean; 1 is chance"),
    "pcoc": ("PCOC", "predicted over observed; 1 is right in the large"),
    "ece": ("ECE", "mean distance of predicted and observed, in bins of equal weight"),
    "normalised_gini": ("Gini", "of the money by rising prediction, over the best possible"),
    "spearman": ("Spearman", "rank correlation among the rows that paid"),
    "spearman_within": ("Spearman in users", "the same within each user"),
    "bias": ("bias of the sum", "predicted over observed money, less 1"),
    "accuracy": ("accuracy", "share of rows whose class was the most likely one; ties are shared"),
    "macro_f1": ("macro F1", "mean over the classes of the harmonic mean of precision and recall"),
}
"""Name and meaning of every metric that the page shows."""


def write_evaluation(evaluation: Evaluation, out: str | Path) -> None:
    """Write both files or none; evaluation.json comes last, and says that both are there.

    Args:
        evaluation: what to write.
        out: directory; an older evaluation in it is replaced, other files stay.
    """
    write_texts(out, {PAGE: html(evaluation), EVALUATION: json_text(evaluation.to_json())})


def html(evaluation: Evaluation) -> str:
    """Return the page: no script, no request, any text escaped."""
    return (
        environment()
        .get_template("evaluation.html")
        .render(
            found=evaluation,
            metrics=METRICS,
            plots=_curves(evaluation),
            bars={
                n: charts.decile_plot(t.deciles) for n, t in evaluation.tasks.items() if t.deciles
            },
            figure=charts.figure,
        )
    )


def _curves(evaluation: Evaluation) -> dict[str, charts.Plot]:
    former = {name: found.reliability for name, found in evaluation.uncalibrated.items()}
    return {
        name: charts.reliability_plot(task.reliability, former.get(name))
        for name, task in evaluation.tasks.items()
    }


@cache
def environment() -> Environment:
    """Return the templates: autoescaped, and no variable may be undefined."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
