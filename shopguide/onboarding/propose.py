"""From files to a spec: look, map, try it on the whole log, measure, and write it down."""

import glob
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import check_names
from shopguide.logs import LogSummary, prepare_logs, quarantine
from shopguide.logs._duckdb import connect
from shopguide.onboarding import measure
from shopguide.onboarding.attributes import Attributes, find_attributes
from shopguide.onboarding.catalogue import choose_period, views, weights
from shopguide.onboarding.exposure import Exposure, choose_exposure
from shopguide.onboarding.guess import Guess
from shopguide.onboarding.layout import FileLayout, look
from shopguide.onboarding.mapping import Mapping, map_columns
from shopguide.onboarding.names import plain
from shopguide.onboarding.render import render
from shopguide.onboarding.tables import Table, find_events, read_tables
from shopguide.spec import Spec, check_text

_BAD_SHARE, _MOST_BAD = 0.001, 0.05
_PARTS = ((0.65, 0.15), (0.6, 0.2), (0.5, 0.25), (0.34, 0.33))
_POOLS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 10_080)
_POOLED_ROWS = 12
_SMALL = 50_000
_MOST_TASKS = 4
_LEAST_WINDOW = 0.1
"""Hours that are waited for the outcomes of logged rows, also where these come at once."""
_ENOUGH = 100
"""Outcomes that the gate asks of the test period."""
_ENOUGH_USERS = 200
"""Users that it asks for."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A spec that runs, and what it rests on.

    Args:
        name: of the spec.
        text: the spec, YAML with comments.
        spec: the same, checked.
        files: how each file is written.
        guesses: every choice with its reason; those that are not sure are warnings.
        summary: of the canonical log that the mapping gives.
    """

    name: str
    text: str
    spec: Spec
    files: Sequence[FileLayout]
    guesses: Sequence[Guess]
    summary: LogSummary


def propose(
    paths: Sequence[str], *, name: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Proposal:
    """Read a shop's files and propose a spec, after trying it on all of them.

    Args:
        paths: files or globs: events, or events with files of items and users.
        name: of the spec; None takes that of the first file of events.
        say: is told what is being done.

    Raises:
        ShopguideError: a file cannot be read, or nothing in it looks like events of items.
    """
    say("looking at the files")
    layouts = [look(path) for path in dict.fromkeys(found for p in paths for found in _named(p))]
    with connect() as connection:
        quarantine.create(connection)
        tables = read_tables(connection, layouts)
        events = find_events(tables)
        found = map_columns(events)
        exposure = choose_exposure(found)
        others = [table for table in tables if table is not events]
        attributes = find_attributes(connection, events, others, found, logged=exposure.logged)
        head = {"source": "events", **events.section()}
    called = plain(name or Path(events.files[0].path).name.split(".")[0])
    draft = _Draft(called, head, found, exposure, attributes, events)
    with tempfile.TemporaryDirectory(prefix="shopguide-init-") as folder:
        say("reading the whole log as guessed")
        return _try(draft, layouts, Path(folder), say)


def _named(path: str) -> list[str]:
    """Return the files that a path or glob names; a name that is there is no glob."""
    if Path(path).exists() or not glob.has_magic(path):
        return [path]
    found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - a glob may be absolute
    files = [name for name in found if Path(name).is_file()]
    if not files:
        raise ShopguideError(path, "no file fits this glob", "Give the path of an export")
    return files


class _Draft:
    """A spec in the making: its document and its guesses."""

    def __init__(
        self,
        name: str,
        head: dict[str, object],
        found: Mapping,
        exposure: Exposure,
        attributes: Attributes,
        events: Table,
    ) -> None:
        self.name, self.found, self.exposure, self.events = name, found, exposure, events
        self.attributes = attributes
        self.guesses = [*found.guesses, *exposure.guesses, *attributes.guesses]
        self.data = head | self._mapping() | attributes.data
        self.data["exposure"] = exposure.section
        self.returns()

    def _mapping(self) -> dict[str, object]:
        found = self.found
        names = ("user_id", "item_id", "kind", "at")
        columns = {name: found.columns.get(name) for name in names} | found.columns
        parts: dict[str, object] = {"columns": {k: v for k, v in columns.items() if v is not None}}
        said = {
            "kinds": found.kinds,
            "outcomes": found.outcomes,
            "every_row": found.every_row,
            "nulls": found.nulls,
        }
        parts |= {key: value for key, value in said.items() if value}
        formats = found.time_formats
        if formats != ["iso"]:
            parts["time_format"] = formats[0] if len(formats) == 1 else formats
        if found.decimal != ".":
            parts["decimal"] = found.decimal
        return parts

    def returns(self) -> None:
        """Say which rows are returns, if some are."""
        if "return" in self.found.kinds.values() and "purchase" in self.found.kinds.values():
            self.data["returns"] = {"event": "purchase", "kinds": ["return"]}
            why = "takes back the last purchase before it of the same user and item"
            self.guesses.append(Guess("data.returns", "return", why))

    def tell(self, field: str, value: object, why: str, *, sure: bool = True) -> None:
        """Note a guess."""
        self.guesses.append(Guess(field, str(value), why, sure))

    def first(self) -> dict[str, Any]:
        """Return a document that reads the log; its periods and goals mean nothing yet."""
        split = {
            part: {"start": f"{1971 + n}-01-01", "end": f"{1972 + n}-01-01"}
            for n, part in enumerate(("train", "valid", "test"))
        }
        kind = self.exposure.kinds[0] if self.exposure.kinds else self.exposure.event
        return {
            "name": self.name,
            "data": self.data | {"max_bad_share": _MOST_BAD},
            "split": split,
            "tasks": {"first": {"kind": "binary", "event": kind}},
            "features": {"context": self.attributes.kinds["context"]},
            "objective": {"goals": {"first": {"task": "first", "weight": 1.0}}},
        }


def _try(
    draft: _Draft, layouts: Sequence[FileLayout], folder: Path, say: Callable[[str], None]
) -> Proposal:
    _currency(draft)
    summary = prepare_logs(_checked(draft.first()), folder / "log")
    with connect() as connection:
        log = measure.read_log(connection, folder / "log", draft.exposure.event)
        if draft.exposure.logged and log.list_size < 2:
            _pool(draft, log)
            summary = prepare_logs(_checked(draft.first()), folder / "pooled")
            log = measure.read_log(connection, folder / "pooled", draft.exposure.event)
        _share(draft, summary)
        say("choosing window, periods, tasks and features")
        document = _document(draft, connection, log, _notes(draft, summary))
    spec = _checked(document)
    check_names(spec)
    text = render(document, _comments(draft, document))
    assert _checked(yaml.safe_load(text)) == spec, "the text says what was checked"
    return Proposal(draft.name, text, spec, layouts, draft.guesses, summary)


def _checked(document: dict[str, Any]) -> Spec:
    return check_text(yaml.safe_dump(document, sort_keys=False), where="proposed spec")


def _currency(draft: _Draft) -> None:
    """Take the currency that all rows name; of several, none can be guessed to be worth another."""
    column = draft.found.columns.get("currency")
    if column is None:
        return
    columns = draft.data["columns"]
    assert isinstance(columns, dict)
    texts = list(draft.events.columns[column].top)
    if len(texts) == 1:
        draft.data["currency"] = texts[0]
        draft.tell("data.currency", texts[0], f"all that {column} names")
        return
    columns.pop("currency")
    columns.pop("value", None)
    draft.tell(
        "data.columns.value",
        "null",
        f"money in {len(texts)} currencies ({', '.join(texts[:5])}) and no rates: it is left out; "
        "name value and currency, and give data.currency and data.rates",
        sure=False,
    )


def _pool(draft: _Draft, log: measure.Log) -> None:
    """Let rows of one list each compete with those of the same minutes."""
    minutes = log.span.total_seconds() / 60 / max(log.impressions, 1) * _POOLED_ROWS
    pool = max((pool for pool in _POOLS if pool <= minutes), default=_POOLS[0])
    draft.exposure.section["pool_minutes"] = float(pool)
    columns = draft.data["columns"]
    assert isinstance(columns, dict)
    if (user := columns.pop("user_id", None)) is not None:
        _drop_users(draft, user)
    draft.tell(
        "data.exposure.pool_minutes",
        pool,
        "every list has one row, and one row cannot be ranked: rows of the same minutes are, "
        "whoever saw them, and these minutes stand for a user",
        sure=False,
    )


def _drop_users(draft: _Draft, user: str) -> None:
    """Leave out what is known of users, once the minutes of a pool stand for them."""
    fields = ("data.columns.user_id", "data.user_attributes", "data.users")
    draft.guesses[:] = [guess for guess in draft.guesses if guess.field not in fields]
    draft.found.columns.pop("user_id")
    draft.data.pop("user_attributes", None)
    draft.data.pop("users", None)
    attributes = ", ".join(draft.attributes.kinds["user_attributes"])
    draft.attributes.kinds["user_attributes"] = {}
    dropped = f"{user} and what is known of users ({attributes})" if attributes else user
    why = f"{dropped} left out: minutes stand for users, see data.exposure.pool_minutes"
    draft.tell("data.columns.user_id", "null", why, sure=False)


def _share(draft: _Draft, summary: LogSummary) -> None:
    bad = sum(n for reason, n in summary.dropped.items() if reason.startswith("unusable"))
    share = bad / max(draft.events.rows, 1)
    if not bad:
        return
    reasons = "; ".join(
        f"{n:,} {reason.removeprefix('unusable, ')}"
        for reason, n in summary.dropped.items()
        if reason.startswith("unusable")
    )
    if share <= _BAD_SHARE:
        draft.tell("data.max_bad_share", _BAD_SHARE, f"rows that cannot be used: {reasons}")
        return
    draft.data["max_bad_share"] = allowed = round(share * 1.2 + 0.0005, 3)
    why = f"{share:.2%} of the rows cannot be used: {reasons}"
    draft.tell("data.max_bad_share", allowed, why, sure=False)


def _notes(draft: _Draft, summary: LogSummary) -> list[str]:
    """Return the limits of the data that reports repeat."""
    notes = list(summary.notes)
    pool = draft.exposure.section.get("pool_minutes")
    if isinstance(pool, float) and "user_id" not in draft.found.columns:
        notes.append(f"Users are not people: each stands for a window of {pool:g} minutes.")
    return notes


def _document(
    draft: _Draft,
    connection: duckdb.DuckDBPyConnection,
    log: measure.Log,
    notes: Sequence[str],
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": draft.name,
        "title": draft.name.replace("_", " "),
        **({"notes": list(notes)} if notes else {}),
        "data": draft.data,
        "attribution": _attribution(draft, connection, log),
    }
    document |= _learnable(draft, connection, log, document)
    document["features"] = _features(draft, log, list(document["tasks"]))
    document |= _sizes(draft, log)
    document["objective"] = _objective(draft, connection, log, document["tasks"])
    document["gate"] = _gate(draft, document)
    old = log.end < datetime.now(UTC) - timedelta(days=2)
    document["serving"] = {"clock": "log_end" if old else "now"}
    return document


def _attribution(
    draft: _Draft, connection: duckdb.DuckDBPyConnection, log: measure.Log
) -> dict[str, object]:
    if draft.exposure.logged and ("request_id" in draft.found.columns or draft.found.outcomes):
        draft.tell("attribution.match", "request", "outcomes name the row or list they are of")
        taken = measure.outcome_gap(connection, draft.exposure.event)
        window = max(round(taken.total_seconds() / 3600, 2), _LEAST_WINDOW)
        why = "nearly all outcomes come within; what is younger at the log's end is not yet judged"
        draft.tell("attribution.window_hours", f"{window:g}", why)
        return {"match": "request", "window_hours": window}
    window, held = measure.choose_window(connection, log, draft.exposure.kinds)
    why = f"{held:.0%} of the outcomes come within {window:g} h of the last impression before them"
    draft.tell("attribution.window_hours", f"{window:g}", why, sure=held >= 0.9)
    return {"match": "user_item", "window_hours": window}


def _learnable(
    draft: _Draft,
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
            held, nested = measure.outcomes(connection, log, _checked(trial))
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
    between = f"; {_length(gap)} between them, in which outcomes come in" if gap else ""
    draft.tell("split", "by time", f"shares of the impressions: {shown}{between}")
    fewest = min(held["test"].positives[kind] for kind in kept)
    _gate_minima(draft, held["test"].users, fewest)
    return {
        "split": split,
        "tasks": _tasks(draft, kept, nested, held),
    } | ({"validation": limits} if (limits := _validation(draft, log, held)) else {})


def _gate_minima(draft: _Draft, users: int, outcomes: int) -> None:
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
    draft: _Draft,
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
    paid = _paid(draft)
    if paid in tasks and (held is None or _in_every(held, "order_value")):
        tasks["order_value"] = {"kind": "amount", "event": paid, "after": paid}
        if draft.data.get("currency"):
            tasks["order_value"]["unit"] = draft.data["currency"]
    return tasks


def _paid(draft: _Draft) -> str | None:
    """Return the kind of event whose money was paid."""
    with_money = [kind for kind, parts in draft.found.outcomes.items() if "value" in parts]
    if with_money:
        return with_money[0]
    columns = draft.data["columns"]
    assert isinstance(columns, dict)
    kinds = {*draft.found.kinds.values(), draft.found.every_row}
    return "purchase" if "value" in columns and "purchase" in kinds else None


def _validation(
    draft: _Draft, log: measure.Log, held: dict[str, measure.Outcomes]
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


def _features(draft: _Draft, log: measure.Log, tasks: Sequence[str]) -> dict[str, object]:
    period, windows = choose_period(log.span)
    users = "user_id" in draft.found.columns
    kinds = draft.attributes.kinds
    event = None if draft.found.outcomes else draft.exposure.event
    outcomes = [task for task in tasks if task != "order_value"]
    section: dict[str, object] = {
        "period": period,
        "views": views(
            event,
            outcomes,
            windows,
            users=users,
            category="category" in kinds["item_attributes"],
            paid=_paid(draft) if "order_value" in tasks else None,
        ),
        **{name: found for name, found in kinds.items() if found},
        "id_inputs": ["user_id", "item_id"] if users else ["item_id"],
    }
    why = f"the log is {_length(log.span)} long; windows in whole {period}s before the impression"
    draft.tell("features.period", period, why)
    return section


def _length(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def _sizes(draft: _Draft, log: measure.Log) -> dict[str, object]:
    if log.impressions >= _SMALL:
        return {}
    draft.tell("model", "small", f"{log.impressions:,} impressions teach no large network")
    return {
        "model": {"embedding_dim": 8, "experts": 2, "hidden": [32], "tower": [16]},
        "training": {"batch_size": 512},
    }


def _objective(
    draft: _Draft,
    connection: duckdb.DuckDBPyConnection,
    log: measure.Log,
    tasks: Sequence[str],
) -> dict[str, object]:
    goals = {
        "revenue" if task == "order_value" else f"{task}s": {"task": task, "weight": weight}
        for task, weight in zip(tasks, weights(len(tasks)), strict=True)
    }
    k = max(2, min(5, int(log.list_size)))
    section: dict[str, object] = {"goals": goals, "discount": {"kind": "dcg", "k": k}}
    draft.tell("objective.goals", "equal weights", "say what each is worth to the shop", sure=False)
    draft.tell(
        "objective.discount.k", k, f"nine lists in ten have no more than {log.list_size:.0f} rows"
    )
    if "propensity" in draft.found.columns:
        least, most, usual = measure.row(
            connection,
            "SELECT min(propensity), max(propensity), quantile_cont(1 / propensity, 0.95) "
            "FROM impressions",
        )
        if most > least:
            clip = float(f"{usual:.2g}")
            section["importance"] = {"propensity": "inverse", "clip": clip}
            why = f"propensities from {least:.2g} to {most:.2g}; one weight in twenty is clipped"
            draft.tell("objective.importance", f"inverse, clip {clip:g}", why, sure=False)
        else:
            why = f"every propensity is {most:g}: weights would all be the same"
            draft.tell("objective.importance", "ignored", why)
    return section


def _gate(draft: _Draft, document: dict[str, Any]) -> dict[str, object]:
    tasks = [task for task in document["tasks"] if task != "order_value"]
    views_of = document["features"]["views"]
    measured = views_of[f"item_{tasks[-1]}"]["measures"]["users"]["windows"]
    baseline = f"item_{tasks[-1]}_users_{measured[-1]}"
    draft.tell("gate.baseline", baseline, "popularity, which a first champion must beat")
    floors = {tasks[-1]: {"auc": 0.55}}
    draft.tell("gate.floors", "AUC 0.55", "little more than chance; say what is enough", sure=False)
    margins = dict.fromkeys(document["objective"]["goals"], 0.05)
    return {"min_gain": 0.0, "margins": margins, "floors": floors, "baseline": baseline}


def _comments(draft: _Draft, document: dict[str, Any]) -> dict[str, list[str]]:
    """Return comments by the path they stand above: that of the guess, or the nearest there is."""
    comments: dict[str, list[str]] = {
        "": [
            "Proposed by `shopguide init`. GUESS marks what the files do not say for certain: see "
            "that it is right. docs/data.md explains the section data.",
        ]
    }
    for guess in draft.guesses:
        mark = "" if guess.sure else "GUESS: "
        shown = f"{guess.value}: " if guess.field.count(".") < 1 or not guess.sure else ""
        place = _nearest(document, guess.field)
        if place != guess.field:
            shown = f"{guess.field} {guess.value}: "
        comments.setdefault(place, []).append(f"{mark}{shown}{guess.why}")
    return comments


def _nearest(document: dict[str, Any], field: str) -> str:
    """Return the longest beginning of a path that the document has, "" for none."""
    place: list[str] = []
    inner: object = document
    for part in field.split("."):
        if not isinstance(inner, dict) or part not in inner:
            break
        inner = inner[part]
        place.append(part)
    return ".".join(place)
