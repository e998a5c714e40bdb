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
from shopguide.onboarding import measure, sections
from shopguide.onboarding.attributes import find_attributes
from shopguide.onboarding.draft import (
    Draft,
    checked,
    limits_of,
    pool_rows,
    settle_currency,
    settle_share,
)
from shopguide.onboarding.exposure import choose_exposure
from shopguide.onboarding.guess import Guess
from shopguide.onboarding.layout import FileLayout, look
from shopguide.onboarding.mapping import map_columns
from shopguide.onboarding.names import plain
from shopguide.onboarding.periods import learnable
from shopguide.onboarding.render import render
from shopguide.onboarding.tables import find_events, read_tables
from shopguide.spec import Spec


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
    draft = Draft(called, head, found, exposure, attributes, events)
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


def _try(
    draft: Draft, layouts: Sequence[FileLayout], folder: Path, say: Callable[[str], None]
) -> Proposal:
    settle_currency(draft)
    summary = prepare_logs(checked(draft.first()), folder / "log")
    with connect() as connection:
        log = measure.read_log(connection, folder / "log", draft.exposure.event)
        if draft.exposure.logged and log.list_size < 2:
            pool_rows(draft, log)
            summary = prepare_logs(checked(draft.first()), folder / "pooled")
            log = measure.read_log(connection, folder / "pooled", draft.exposure.event)
        settle_share(draft, summary)
        say("choosing window, periods, tasks and features")
        document = _document(draft, connection, log, limits_of(draft, summary))
    spec = checked(document)
    check_names(spec)
    text = render(document, _comments(draft, document))
    assert checked(yaml.safe_load(text)) == spec, "the text says what was checked"
    return Proposal(draft.name, text, spec, layouts, draft.guesses, summary)


def _document(
    draft: Draft,
    connection: duckdb.DuckDBPyConnection,
    log: measure.Log,
    notes: Sequence[str],
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": draft.name,
        "title": draft.name.replace("_", " "),
        **({"notes": list(notes)} if notes else {}),
        "data": draft.data,
        "attribution": sections.attribution(draft, connection, log),
    }
    document |= learnable(draft, connection, log, document)
    document["features"] = sections.features(draft, log, list(document["tasks"]))
    document |= sections.sizes(draft, log)
    document["objective"] = sections.objective(draft, connection, log, document["tasks"])
    document["gate"] = sections.gate(draft, document)
    old = log.end < datetime.now(UTC) - timedelta(days=2)
    document["serving"] = {"clock": "log_end" if old else "now"}
    return document


def _comments(draft: Draft, document: dict[str, Any]) -> dict[str, list[str]]:
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
