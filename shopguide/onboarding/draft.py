"""A spec in the making: what was guessed of the files, and what the whole log says of it."""

from typing import Any

import yaml

from shopguide.logs import LogSummary
from shopguide.onboarding import measure
from shopguide.onboarding.attributes import Attributes
from shopguide.onboarding.exposure import Exposure
from shopguide.onboarding.guess import Guess
from shopguide.onboarding.mapping import Mapping
from shopguide.onboarding.tables import Table
from shopguide.spec import Spec, check_text

_BAD_SHARE, _MOST_BAD = 0.001, 0.05
_POOLS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 10_080)
_POOLED_ROWS = 12


def checked(document: dict[str, Any]) -> Spec:
    """Return the spec that a document is."""
    return check_text(yaml.safe_dump(document, sort_keys=False), where="proposed spec")


class Draft:
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


def settle_currency(draft: Draft) -> None:
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


def pool_rows(draft: Draft, log: measure.Log) -> None:
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


def _drop_users(draft: Draft, user: str) -> None:
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


def settle_share(draft: Draft, summary: LogSummary) -> None:
    """Allow as many unusable rows as the log has, and say why they are."""
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


def limits_of(draft: Draft, summary: LogSummary) -> list[str]:
    """Return the limits of the data that reports repeat."""
    notes = list(summary.notes)
    pool = draft.exposure.section.get("pool_minutes")
    if isinstance(pool, float) and "user_id" not in draft.found.columns:
        notes.append(f"Users are not people: each stands for a window of {pool:g} minutes.")
    return notes


def paid_kind(draft: Draft) -> str | None:
    """Return the kind of event whose money was paid."""
    with_money = [kind for kind, parts in draft.found.outcomes.items() if "value" in parts]
    if with_money:
        return with_money[0]
    columns = draft.data["columns"]
    assert isinstance(columns, dict)
    kinds = {*draft.found.kinds.values(), draft.found.every_row}
    return "purchase" if "value" in columns and "purchase" in kinds else None
