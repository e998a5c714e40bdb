"""Reach a decision again from its decision.json and the bundles and test set it names."""

import json
from collections.abc import Sequence
from pathlib import Path

from shopguide.bundle import Bundle
from shopguide.errors import ShopguideError
from shopguide.files import sha256
from shopguide.gate import models
from shopguide.gate.decide import reach_decision
from shopguide.gate.decision import Decision, ModelEntry
from shopguide.gate.report import write_report
from shopguide.gate.test_set import test_file
from shopguide.spec import Spec, check_text


def replay(
    decision: Decision,
    challenger: str | Path | Sequence[str | Path],
    test_set: str | Path,
    out: str | Path,
    champion: str | Path | None = None,
) -> Decision:
    """Decide again, by the terms, the seed, the ledger and the latency of an earlier decision.

    Args:
        decision: to reach again.
        challenger: the bundle it names, or all that it judged, in any order.
        test_set: directory of a training set, or the Parquet file that it names.
        out: directory to write; left alone unless the decision is the same.
        champion: the bundle it names, if any.

    Raises:
        ShopguideError: an input is not the one that was judged, or the decision differs.
    """
    paths = [challenger] if isinstance(challenger, str | Path) else list(challenger)
    ordered, judged = _in_order(paths, decision)
    held = models.open_champion(champion)
    _same_bundle("champion", str(champion), held, decision.champion)
    _same_test_set(test_set, decision)
    again = reach_decision(
        _terms(decision, judged.spec),
        ordered,
        test_set,
        champion=champion,
        champion_version=decision.champion.version if decision.champion else None,
        ledger=decision.ledger,
        tried=decision.tried,
        latencies={
            candidate.model.checksum: candidate.latency_p99_ms
            for candidate in decision.candidates
            if candidate.latency_p99_ms is not None
        },
    )
    differing = _differences(decision, again)
    if differing:
        raise ShopguideError(
            "--replay",
            f"what is reached now differs from the decision to repeat in {', '.join(differing)}",
            f"Install what it was reached with: {_versions(decision)}",
        )
    write_report(again, out)
    return again


def _in_order(paths: Sequence[str | Path], decision: Decision) -> tuple[list[str | Path], Bundle]:
    """Return the challengers in the order of the decision, and the bundle of the first."""
    found = {bundle.manifest.checksum: (path, bundle) for path, bundle in _opened(paths)}
    named = {candidate.model.checksum: candidate.model for candidate in decision.candidates}
    for checksum, (path, bundle) in found.items():
        if checksum not in named:
            _same_bundle("challenger", str(path), bundle, decision.challenger)
    missing = [model.version for checksum, model in named.items() if checksum not in found]
    if missing:
        raise ShopguideError(
            "--challenger",
            f"lacks {', '.join(missing)}, which the decision judged too",
            "Give every challenger that was judged then",
        )
    ordered = [found[checksum] for checksum in named]
    return [path for path, _ in ordered], ordered[0][1]


def _opened(paths: Sequence[str | Path]) -> list[tuple[str | Path, Bundle]]:
    return [(path, models.open_bundle(path)) for path in paths]


def _terms(decision: Decision, trained_by: Spec) -> Spec:
    """Return the spec that a decision was reached by.

    Raises:
        ShopguideError: its terms are not those of a spec, by the path of the first that is not.
    """
    spec = trained_by.model_dump(mode="json") | {
        "objective": decision.terms.get("objective"),
        "gate": decision.terms.get("gate"),
        "seed": decision.seed,
        "title": decision.title,
        "notes": list(decision.notes),
    }
    return check_text(json.dumps(spec), where="decision.json terms:")


def _same_bundle(role: str, path: str, found: Bundle | None, named: ModelEntry | None) -> None:
    has = found.manifest.checksum if found else None
    wanted = named.checksum if named else None
    if has != wanted:
        raise ShopguideError(
            path,
            f"is not the {role} of the decision: checksum {has or 'none'}, expected "
            f"{wanted or 'none'}",
            f"Give the {role} that was judged then"
            if wanted
            else "Leave --champion out: there was none then",
        )


def _same_test_set(path: str | Path, decision: Decision) -> None:
    file = test_file(path)
    found = sha256(file) if file.is_file() else "none"
    if found != decision.test_set:
        raise ShopguideError(
            str(file),
            f"is not the test set of the decision: SHA-256 {found}, expected {decision.test_set}",
            "Give the test set that was judged on then",
        )


def _differences(one: Decision, two: Decision) -> list[str]:
    first, second = one.to_json(), two.to_json()
    differing = [key for key in first if first[key] != second[key]]
    return [key for key in differing if key not in ("fingerprint", "checksum")] or differing


def _versions(decision: Decision) -> str:
    return ", ".join(f"{name} {version}" for name, version in decision.versions.items())
