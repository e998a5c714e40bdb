"""The page of a catalogue: every input of the model, and what it is made of."""

from collections.abc import Iterable

from shopguide.features.catalogue import ITEM_VIEW, USER_VIEW, ModelInput, model_inputs
from shopguide.features.store import view_inputs, view_keys
from shopguide.features.versions import feast_view, feature_service
from shopguide.spec import Spec


def catalogue_page(spec: Spec) -> str:
    """Return the Markdown page of a spec's features: one table of inputs, one of lineage.

    Args:
        spec: reads `name` and `features`.
    """
    return "\n".join(
        [
            f"# Features of {spec.title or spec.name}",
            "",
            "Written by `shopguide features --docs` from the catalogue in the spec: change that.",
            "",
            f"Feast's project is `{spec.name}`, the feature service `{feature_service(spec)}`. "
            f"{_time(spec)}",
            "",
            "## Inputs of the model",
            "",
            *_table(("input", "kind", "view", "what it is"), map(_input, model_inputs(spec))),
            "",
            "## From the log to the store",
            "",
            *_table(("view", "in Feast", "by", "from the log's table", "columns"), _lineage(spec)),
            "",
        ]
    )


def _time(spec: Spec) -> str:
    features = spec.features
    late = f", and becomes known {features.delay_minutes} minutes after it"
    return (
        f"A snapshot holds what happened strictly before its {features.period} began "
        f"({features.timezone}){late if features.delay_minutes else ''}."
    )


def _input(column: ModelInput) -> tuple[str, ...]:
    return f"`{column.name}`", column.kind, column.view or "(request)", column.doc


def _lineage(spec: Spec) -> Iterable[tuple[str, ...]]:
    static = {USER_VIEW: "users", ITEM_VIEW: "items"}
    for name, keys in view_keys(spec).items():
        view = spec.features.views.get(name)
        source = static.get(name, "") if view is None else view.table
        if view is not None and view.kind is not None:
            source += f", kind {view.kind}"
        columns = ", ".join(f"`{column.name}`" for column in view_inputs(spec)[name])
        yield name, f"`{feast_view(spec, name)}`", ", ".join(keys), source, columns


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines]
