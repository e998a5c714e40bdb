"""Write a decision: decision.json, report.md and report.html."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shopguide.files import json_text, write_texts
from shopguide.gate import charts, wording
from shopguide.gate.decision import Decision
from shopguide.gate.figures import Figures
from shopguide.gate.front_chart import front_plots
from shopguide.gate.markdown import markdown

DECISION, PAGE, SUMMARY = "decision.json", "report.html", "report.md"


def write_report(decision: Decision, out: str | Path) -> None:
    """Write the three files, all or none; decision.json comes last, and says that all are there.

    Args:
        decision: what to write.
        out: directory; an older decision in it is replaced, other files stay.
    """
    texts = {SUMMARY: markdown(decision), PAGE: html(decision)}
    write_texts(out, texts | {DECISION: json_text(decision.to_json())})


def html(decision: Decision) -> str:
    """Return the decision as one self-contained page: no script, no request, any text escaped."""
    rows = charts.forest_rows(decision)
    return (
        environment()
        .get_template("report.html")
        .render(
            decision=decision,
            total=rows[0].path if rows else None,
            figures=Figures(decision.to_json()),
            wording=wording,
            forest=rows,
            scale=charts.forest_scale(rows) if rows else None,
            spans=charts.time_line(decision),
            plots=charts.reliability_plots(decision),
            fronts=front_plots(decision),
        )
    )


@cache
def environment() -> Environment:
    """Return the templates of every page: autoescaped, and no variable may be undefined."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
