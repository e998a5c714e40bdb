"""Component: check the canonical log and the training set before anything is learnt from them."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Output, OutputPath

from components._image import component


@component
def validate_data(
    spec: Input[Artifact],
    log: Input[Dataset],
    training_set: Input[Dataset],
    report: Output[HTML],
    failed: OutputPath(str),  # type: ignore[valid-type]
) -> bool:
    """Check the canonical log and the training set before anything is learnt from them.

    Needs: 1 GiB; it reads the training set by columns.

    Again: checks the same.

    Fails: the log or the training set cannot be read. Invalid data is no failure: the output is
    False.

    Args:
        spec: Checked spec, from check-spec.
        log: Canonical log, from prepare-logs.
        training_set: Training set, from materialize-features.
        report: What was checked and what failed, as one self-contained page.
        failed: The first failed checks in words; empty if none failed.

    Returns:
        True iff every expectation holds.
    """
    from pathlib import Path

    from shopguide.spec import load_spec
    from shopguide.step import step
    from shopguide.validation import validate_data

    with step("validate_data"):
        result = validate_data(load_spec(spec.path), log.path, training_set.path, report.path)
        Path(failed).write_text(result.first_failures(), encoding="utf-8")
    return result.passes
