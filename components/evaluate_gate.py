"""Component: decide whether the challenger replaces the champion."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Model, Output

from components._image import component


@component
def evaluate_gate(
    spec: Input[Artifact],
    champion: Input[Model],
    champion_version: str,
    challenger: Input[Model],
    training_set: Input[Dataset],
    decision: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
) -> bool:
    """Decide whether the challenger replaces the champion.

    Args:
        spec: Checked spec, from check-spec.
        champion: Bundle in production, from fetch-champion.
        champion_version: Its version in the registry; empty when there is none.
        challenger: Bundle to judge, from solve-objective.
        training_set: Training set; only its test period is read.
        decision: Directory of decision.json: verdict, reasons, every estimate with its interval.
        report: The decision as one self-contained page.
        summary: The decision as a table.

    Returns:
        True iff every criterion of the gate holds.
    """
    import shutil

    from shopguide.gate import decide
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("evaluate_gate"):
        verdict = decide(
            load_spec(spec.path),
            challenger.path,
            training_set.path,
            decision.path,
            champion=champion.path,
            champion_version=champion_version or None,
        )
        shutil.copyfile(f"{decision.path}/report.html", report.path)
        shutil.copyfile(f"{decision.path}/report.md", summary.path)
    return verdict.promote
