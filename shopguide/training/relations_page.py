"""The relations of tasks as one page: two matrices and the proposed groups."""

from collections.abc import Callable
from html import escape

from shopguide.training.relations import Relations

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { padding: .45rem .8rem; border: 1px solid #ddd; text-align: right; }
th { font-weight: 600; text-align: left; background: #fafafa; }
p.note { color: #555; max-width: 45rem; }
"""


def relations_page(relations: Relations, *, title: str) -> str:
    """Return a self-contained HTML page.

    Args:
        relations: what was measured.
        title: of the model.
    """
    groups = "".join(f"<li>{escape(' + '.join(group))}</li>" for group in relations.groups)
    cosine = (
        "<h2>Cosine of the gradients</h2><p class='note'>Of the shared representation; below 0 the "
        "two tasks pull against each other.</p>"
        + _matrix(relations.tasks, relations.cosine, lambda x: f"{x:+.2f}", 1.0)
        if relations.cosine
        else "<p class='note'>This architecture shares no representation: no cosines.</p>"
    )
    largest = max((abs(x) for row in relations.affinity for x in row), default=1.0) or 1.0
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Task relations: {escape(title)}</title>
<style>{_STYLE}</style></head><body>
<h1>Task relations: {escape(title)}</h1>
<h2>Affinity</h2>
<p class="note">Percent of the column's loss that a step for the row's task takes off (of an amount:
nats × 100), mean of {relations.looks:,} looks in the course of training. Blue helps, red hurts.</p>
{_matrix(relations.tasks, relations.affinity, lambda x: f"{x:+.2f}", largest)}
{cosine}
<h2>Proposed groups</h2>
<ul>{groups}</ul>
<p class="note">The partition in which tasks help each other most; a task alone counts 0. It comes
from one run: whether sharing helps is decided by training both ways, with
<code>shopguide train --compare single_task</code>.</p>
</body></html>
"""


def _matrix(
    tasks: list[str], values: list[list[float]], show: Callable[[float], str], largest: float
) -> str:
    head = "".join(f"<th>{escape(task)}</th>" for task in tasks)
    rows = "".join(
        f"<tr><th>{escape(task)}</th>"
        + "".join(f"<td style='background:{_colour(x / largest)}'>{show(x)}</td>" for x in row)
        + "</tr>"
        for task, row in zip(tasks, values, strict=True)
    )
    return f"<table><tr><th>step for ↓, loss of →</th>{head}</tr>{rows}</table>"


def _colour(share: float) -> str:
    hue = "33,102,172" if share > 0 else "178,24,43"
    return f"rgba({hue},{min(abs(share), 1.0) * 0.55:.2f})"
