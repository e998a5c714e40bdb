"""Periods in which the tasks have outcomes, and the tasks that have some in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from shopguide.errors import ShopguideError
from shopguide.onboarding import measure
from shopguide.onboarding.draft import Draft, checked, paid_kind
from shopguide.onboarding.sections import length

_PARTS = ((0.65, 0.15), (0.6, 0.2), (0.5, 0.25), (0.34, 0.33))
_MOST_TASKS = 4
_ENOUGH = 100
"""Outcomes that the gate asks of the test period."""
_ENOUGH_USERS = 200
"""Users that it asks for."""


def learnable(
    draft: Draft,
    connection: duckdb.DuckDBPyConnection,
    log: measure.Log,
    document: dict[str, Any],
) -> dict[str, Any]:
    """Choose periods in which the tasks have outcomes, and the tasks that have some in each."""
    gap, window = timedelta(0), timedelta(0)
    if document["attribution"]["match"] == "user_item":
        window = timedelta(hours=document["attribution"]["window_hours"])
    else:
        gap = measure.outcome_gap(connection, draft.exposure.event)
    kinds = [kind for kind in draft.exposure.kinds if log.kinds.get(kind)]
    kinds = kinds[-_MOST_TASKS:] or draft.exposure.kinds[:1] or [draft.exposure.event]
    found: list[_Trial] = []
    for parts in _PARTS:
        try:
            split = measure.periods(connection, log, parts, gap=gap, window=window)
            trial = document | {"split": split, "tasks": _tasks(draft, kinds, set())}
            trial["objective"] = {"goals": {"first": {"task": kinds[0], "weight": 1.0}}}
            held, nested = measure.outcomes(connection, log, checked(trial))
        except ShopguideError:
            continue  # periods that overlap, in a log of a few moments
        found.append(_Trial(split, held, nested, list(trial["tasks"])))
        if found[-1].merit()[1] >= 1 and found[-1].merit()[0] == len(trial["tasks"]):
            break
    best = max(found, key=_Trial.merit, default=None)
    if best is None or not best.merit()[0]:
        raise ShopguideError(
            str(document["data"]["path"]),
            f"{log.impressions:,} impressions and {sum(log.kinds.get(k, 0) for k in kinds):,} "
            "outcomes cannot be parted into three periods that each have both; "
            f"{log.unexposed:.0%} of the outcomes are of a user and item never shown",
            "Give a longer log",
        )
    split, held, nested = best.split, best.held, best.nested
    dropped = [kind for kind in kinds if not _in_every(held, kind)]
    for kind in dropped:
        why = "not in every period: no task is made of it"
        draft.tell(f"tasks.{kind}", "left out", why, sure=False)
    kept = [kind for kind in kinds if kind not in dropped]
    shown = ", ".join(f"{part} {h.rows:,} rows of {h.users:,} users" for part, h in held.items())
    between = f"; {length(gap)} between them, in which outcomes come in" if gap else ""
    draft.tell("split", "by time", f"shares of the impressions: {shown}{between}")
    fewest = min(held["test"].positives[kind] for kind in kept)
    _gate_minima(draft, held["test"].users, fewest)
    return {
        "split": split,
        "tasks": _tasks(draft, kept, nested, held),
    } | ({"validation": limits} if (limits := _validation(draft, log, held)) else {})


def _gate_minima(draft: Draft, users: int, outcomes: int) -> None:
    """Warn where the test period has less than the gate asks for."""
    for what, number, enough, of in (
        ("users", users, _ENOUGH_USERS, "users"),
        ("outcomes", outcomes, _ENOUGH, "outcomes of the rarest task"),
    ):
        if number < enough:
            why = (
                f"the test period has {number} {of}, and the gate asks for {enough}: it will find "
                "no fair comparison until the log is longer"
            )
            draft.tell("gate", f"too few {what}", why, sure=False)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Periods that were tried, and what they hold."""

    split: dict[str, Any]
    held: dict[str, measure.Outcomes]
    nested: set[tuple[str, str]]
    tasks: list[str]

    def merit(self) -> tuple[int, float]:
        """Return how many tasks can be learnt, and how much of what the gate asks there is.

        1 is enough users, and enough outcomes of the rarest task, in the test period.
        """
        good = [task for task in self.tasks if _in_every(self.held, task)]
        if not good:
            return 0, 0.0
        test = self.held["test"]
        fewest = min(test.positives[task] for task in good)
        return len(good), min(fewest / _ENOUGH, test.users / _ENOUGH_USERS)


def _in_every(held: dict[str, measure.Outcomes], task: str) -> bool:
    return len(held) == 3 and all(0 < h.positives.get(task, 0) < h.rows for h in held.values())


def _tasks(
    draft: Draft,
    kinds: Sequence[str],
    nested: set[tuple[str, str]],
    held: dict[str, measure.Outcomes] | None = None,
) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        tasks[kind] = {"kind": "binary", "event": kind}
        before = [earlier for earlier in kinds[:number] if (kind, earlier) in nested]
        if before:
            tasks[kind]["after"] = before[-1]
    paid = paid_kind(draft)
    if paid in tasks and (held is None or _in_every(held, "order_value")):
        tasks["order_value"] = {"kind": "amount", "event": paid, "after": paid}
        if draft.data.get("currency"):
            tasks["order_value"]["unit"] = draft.data["currency"]
    return tasks


def _validation(
    draft: Draft, log: measure.Log, held: dict[str, measure.Outcomes]
) -> dict[str, object]:
    limits: dict[str, object] = {}
    for name, least, usual in (
        ("min_rows", min(h.rows for h in held.values()), 100),
        ("min_users", min(h.users for h in held.values()), 20),
    ):
        if least < usual:
            limits[name] = max(least // 2, 1)
            draft.tell(
                f"validation.{name}", limits[name], f"a period has only {least:,}", sure=False
            )
    if log.unexposed > 0.4:
        limits["max_unexposed"] = min(round(log.unexposed + 0.1, 2), 1.0)
        why = f"{log.unexposed:.0%} of the outcomes are of a user and item never shown"
        draft.tell("validation.max_unexposed", limits["max_unexposed"], why, sure=False)
    return limits
