"""How the model's inputs differ between the training and the test period."""

import duckdb
import numpy as np
from numpy.typing import NDArray

from shopguide.features import ModelInput, model_inputs
from shopguide.logs._duckdb import identifier
from shopguide.spec import Spec
from shopguide.validation.histograms import draw_rows, histogram
from shopguide.validation.result import Check, InputProfile

_BINS = 10
_CUT_ROWS = 200_000  # rows that deciles are taken from: each is then right to .1 % of the rows
_LEAST = 1e-4  # share that an empty bin is given, so that the logarithm is finite


def profile_inputs(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[InputProfile]:
    """Return the null shares, the stability index and the histogram of each input.

        PSI = Σ_b (q_b − p_b) · log(q_b / p_b)    p train, q test; nulls are a bin of their own

    Bins are deciles of a sample of training for numbers, and the 20 most frequent values for
    categories.

    Args:
        connection: has views `train`, `valid` and `test`.
        spec: reads the catalogue.

    Source: Siddiqi, "Credit Risk Scorecards", 2006, ch. 9.
    """
    inputs = model_inputs(spec)
    numbers = ", ".join(identifier(column.name) for column in inputs if column.kind == "numeric")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sampled AS SELECT {numbers or '1'} FROM train "
        f"USING SAMPLE reservoir({_CUT_ROWS} ROWS) REPEATABLE (0)"
    )
    draw_rows(connection, inputs)
    return [_profile(connection, column) for column in inputs]


def drift_checks(profiles: list[InputProfile], spec: Spec) -> list[Check]:
    """Return the checks on profiles: a share of nulls that jumps is an error, drift a warning."""
    checks = []
    for profile in profiles:
        change = abs(profile.null_test - profile.null_train)
        limit = spec.validation.max_null_change
        checks.append(
            Check(
                "nulls",
                f"test, {profile.name}",
                f"its share of nulls changes by at most {limit:.0%} from training",
                f"{profile.null_train:.1%} → {profile.null_test:.1%}",
                "Check that its source covers the test period",
                "error",
                passes=change <= limit,
            )
        )
        if profile.psi is not None:
            most = spec.validation.warn_psi
            checks.append(
                Check(
                    "drift",
                    f"test, {profile.name}",
                    f"its stability index against training stays below {most:g}",
                    f"{profile.psi:.3f}",
                    "Look whether the shop or the export changed; retrain on newer data",
                    "warning",
                    passes=profile.psi < most,
                )
            )
    return checks


def _profile(connection: duckdb.DuckDBPyConnection, column: ModelInput) -> InputProfile:
    name = identifier(column.name)
    nulls = {}
    for split in ("train", "test"):
        share = f"SELECT avg(({name} IS NULL)::DOUBLE) FROM {split}"
        nulls[split] = float(connection.execute(share).fetchall()[0][0] or 0.0)
    psi = None if column.kind in ("recency", "sequence") else _psi(connection, column)
    drawn = histogram(connection, column)
    return InputProfile(column.name, column.kind, nulls["train"], nulls["test"], psi, drawn)


def _psi(connection: duckdb.DuckDBPyConnection, column: ModelInput) -> float:
    name = identifier(column.name)
    if column.kind == "numeric":
        cuts = connection.execute(
            f"SELECT DISTINCT unnest(quantile_cont({name}, "
            f"[{', '.join(str(b / _BINS) for b in range(1, _BINS))}])) FROM sampled"
        ).fetchall()
        values = sorted(float(row[0]) for row in cuts if row[0] is not None)
        values = [value for value in values if np.isfinite(value)]
        bin_of = " + ".join(f"({name} > {value!r})::INTEGER" for value in values) or "0"
    else:
        top = connection.execute(
            f"SELECT {name} FROM train WHERE {name} IS NOT NULL GROUP BY 1 "
            f"ORDER BY count(*) DESC, 1 LIMIT 20"
        ).fetchall()
        connection.execute("CREATE OR REPLACE TEMP TABLE frequent (value VARCHAR)")
        if top:
            connection.executemany("INSERT INTO frequent VALUES (?)", [[row[0]] for row in top])
        bin_of = f"CASE WHEN {name} IN (FROM frequent) THEN {name} ELSE '(other)' END"
    shares = {
        split: dict(
            connection.execute(
                f"SELECT CASE WHEN {name} IS NULL THEN '(null)' ELSE ({bin_of})::VARCHAR END, "
                f"count(*) / sum(count(*)) OVER () FROM {split} GROUP BY 1"
            ).fetchall()
        )
        for split in ("train", "test")
    }
    bins = sorted(set(shares["train"]) | set(shares["test"]))
    return stability_index(
        np.array([float(shares["train"].get(b, 0)) for b in bins]),
        np.array([float(shares["test"].get(b, 0)) for b in bins]),
    )


def stability_index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the population stability index of two distributions over the same bins [B]."""
    p, q = np.maximum(before, _LEAST), np.maximum(after, _LEAST)
    return float(((q - p) * np.log(q / p)).sum())
