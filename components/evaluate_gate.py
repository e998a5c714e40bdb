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

    Earlier runs against the same champion are read from the registry: they share its error.

    Needs: 1 GiB: the test period is scored in batches, and bootstrapped by users.

    Again: decides the same: the draws are seeded; it is one look at the champion, however often
    it runs in a run.

    Fails: a bundle or the test period is broken. A refusal is no failure: the output is False.

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
    from shopguide.registry import read_ledger
    from shopguide.spec import load_spec
    from shopguide.step import step

    with step("evaluate_gate"):
        checked = load_spec(spec.path)
        verdict = decide(
            checked,
            challenger.path,
            training_set.path,
            decision.path,
            champion=champion.path,
            champion_version=champion_version or None,
            ledger=read_ledger(checked),
        )
        shutil.copyfile(f"{decision.path}/report.html", report.path)
        shutil.copyfile(f"{decision.path}/report.md", summary.path)
    return verdict.promote
