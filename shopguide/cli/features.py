"""`shopguide features`: canonical log → offline features and training set."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shopguide.cli.common import (
    DEFAULT_SPEC,
    AsJson,
    Overrides,
    Profile,
    SpecPath,
    print_json,
    stdout,
)


def features(
    spec: SpecPath = DEFAULT_SPEC,
    log: Annotated[Path, typer.Option(help="Canonical log.")] = Path("runs/log"),
    out: Annotated[Path, typer.Option(help="Directory of the training set.")] = Path(
        "runs/training_set"
    ),
    docs: Annotated[
        Path | None,
        typer.Option(help="Write the page of all features here (Markdown), and compute nothing."),
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Compute features, register them in Feast, join the training set."""
    from shopguide.features import materialize_features
    from shopguide.spec import load_spec

    loaded = load_spec(spec, profile=profile, overrides=overrides or [])
    if docs is not None:
        from shopguide.features.documentation import catalogue_page
        from shopguide.files import write_text

        write_text(docs, catalogue_page(loaded))
        if as_json:
            print_json({"docs": str(docs)})
        else:
            stdout.print(f"→ {docs}", highlight=False)
        return
    summary = materialize_features(loaded, log, out)
    if as_json:
        print_json(asdict(summary))
        return
    for split, rows in summary.rows.items():
        means = ", ".join(f"{task} {mean:.4g}" for task, mean in summary.label_means[split].items())
        stdout.print(f"{split:<6}{rows:>12,} impressions, means: {means}", highlight=False)
    for reason, rows in summary.dropped.items():
        stdout.print(f"left out {rows:,}: {reason}", highlight=False)
    stdout.print(
        f"→ {out}; features in {loaded.home}, `shopguide materialize` serves them", highlight=False
    )
