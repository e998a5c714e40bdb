"""Which column of the events is what: by name, and only where its content agrees."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shopguide.errors import ShopguideError
from shopguide.onboarding import names
from shopguide.onboarding.guess import Guess
from shopguide.onboarding.profile import Column
from shopguide.onboarding.tables import Table

_SPELT_NULLS = {"NULL", "null", "NaN", "nan", "None", "\\N", "NA", "N/A", "(not set)", "undefined"}
_CODES = {"1": "view", "2": "favourite", "3": "cart", "4": "purchase"}
_CODED = {"0": "view", "1": "cart", "2": "purchase", "3": "favourite"}
_TEXTUAL = ("user_id", "item_id", "session_id", "event_id", "request_id", "place_id")


@dataclass(slots=True)
class Mapping:
    """What the columns of the events are, and why.

    Args:
        columns: field of the spec → column.
        kinds: kind in the export → canonical kind.
        outcomes: canonical kind → its columns, in a wide log.
        every_row: kind that every row is, in a log of one kind.
        time_formats: in the order in which they are tried.
        guesses: why.
        nulls: texts that mean nothing.
        decimal: what parts the cents.
        taken: columns that have a meaning.
        category: nameless column that stands where the category of the item does.
    """

    columns: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, dict[str, str]] = field(default_factory=dict)
    every_row: str | None = None
    time_formats: list[str] = field(default_factory=lambda: ["iso"])
    guesses: list[Guess] = field(default_factory=list)
    nulls: list[str] = field(default_factory=list)
    decimal: str = "."
    taken: set[str] = field(default_factory=set)
    category: str | None = None

    def take(self, name: str, column: str, why: str, *, sure: bool = True) -> None:
        """Give a column to a field."""
        self.columns[name] = column
        self.taken.add(column)
        self.guesses.append(Guess(f"data.columns.{name}", column, why, sure))

    def tell(self, name: str, value: object, why: str, *, sure: bool = True) -> None:
        """Note a guess that is no column."""
        self.guesses.append(Guess(name, str(value), why, sure))


def map_columns(table: Table) -> Mapping:
    """Guess what the columns of the events are.

    Raises:
        ShopguideError: nothing looks like an item.
    """
    found = Mapping()
    columns = list(table.columns.values())
    nameless = table.files[0].header is not None
    _nulls(found, columns)
    _time(found, columns, nameless=nameless)
    _by_name(found, columns)
    if nameless:
        _by_place(found, columns)
    _what_happened(found, columns)
    _item(found, columns, table)
    if "user_id" not in found.columns:
        found.tell(
            "data.columns.user_id",
            "null",
            "no column is called like a user: every request stands for one",
            sure=False,
        )
    return found


def _nulls(found: Mapping, columns: Sequence[Column]) -> None:
    texts = sorted({text for column in columns for text in column.top if text in _SPELT_NULLS})
    minus = [c.name for c in columns if c.least == -1 and "-1" in c.top and not c.flag]
    if len(minus) >= 2:
        texts.append("-1")
        found.tell(
            "data.nulls",
            "-1",
            f"the least number of {', '.join(minus[:3])}; taken for nothing known",
            sure=False,
        )
    found.nulls = texts


def _time(found: Mapping, columns: Sequence[Column], *, nameless: bool) -> None:
    named = sorted(
        (names.rank_of(c.name, "at"), n, c)
        for n, c in enumerate(columns)
        if names.field_of(c.name) == "at" and c.time_format()
    )
    others = [c for c in columns if c.time_format() and (c.numbers < 0.5 or nameless)]
    if not named and not others:
        found.tell(
            "data.columns.at",
            "null",
            "no column holds times: rows are taken ten seconds apart, in the order of the file, so "
            "the periods are only parts of it",
            sure=False,
        )
        return
    column = named[0][2] if named else others[-1]
    formats = column.time_format()
    both = len(formats) > 1 and column.times[formats[0]] >= 0.98
    chosen = formats[:1] if both else formats
    found.time_formats = chosen
    why = f"{column.example!r} reads as {' or '.join(chosen)}"
    found.take("at", column.name, why, sure=bool(named) or len(others) == 1)
    if both and chosen[0] != "iso":
        found.tell(
            "data.time_format", chosen[0], f"{formats[1]} would read every time too", sure=False
        )
    elif len(chosen) > 1:
        found.tell(
            "data.time_format", ", ".join(chosen), "times are written in two ways", sure=False
        )
    if not chosen[0].startswith("epoch") and not _zoned(column.example):
        found.tell("data.timezone", "UTC", "the times name no zone", sure=False)


def _zoned(text: str) -> bool:
    return text.endswith(("Z", "UTC", "GMT")) or "+" in text[10:] or "-" in text[10:]


def _by_name(found: Mapping, columns: Sequence[Column]) -> None:
    for name in (*_TEXTUAL, "value", "quantity", "currency", "position", "propensity",
                 "sample_weight", "received_at"):  # fmt: skip
        fitting = sorted(
            (names.rank_of(c.name, name), n, c)
            for n, c in enumerate(columns)
            if names.field_of(c.name) == name and c.name not in found.taken and _fits(c, name)
        )
        if not fitting:
            continue
        column = fitting[0][2]
        others = [c.name for _, _, c in fitting[1:]]
        also = f"; {', '.join(others)} could be it too" if others else ""
        why = f"its name; {_content(column)}{also}"
        found.take(name, column.name, why, sure=not others)
        if name == "value" and column.commas > 0.5:
            found.decimal = ","
            found.tell("data.decimal", ",", f"money is written like {column.example!r}")


def _fits(column: Column, name: str) -> bool:
    if column.filled == 0:
        return False
    number = column.numbers > 0.9
    return {
        "value": number or column.commas > 0.5 or column.numbers + column.commas > 0.9,
        "quantity": column.whole > 0.9,
        "position": column.whole > 0.98 and column.least >= 1,
        "propensity": number and column.least > 0 and column.most <= 1,
        "sample_weight": number and column.least > 0,
        "currency": column.distinct <= 50 and all(len(text) == 3 for text in column.top),
        "received_at": bool(column.time_format()),
    }.get(name, True)


def _content(column: Column) -> str:
    filled = "" if column.filled > 0.999 else f", {column.filled:.0%} filled"
    if column.numbers > 0.99 and column.whole < 0.99:
        return f"numbers from {column.least:g} to {column.most:g}{filled}"
    about = f"about {column.distinct:,}" if column.distinct > len(column.top) else len(column.top)
    return f"{about} different, such as {column.example!r}{filled}"


def _by_place(found: Mapping, columns: Sequence[Column]) -> None:
    """Without names: ids stand in the order user, item, category, and differ in number."""
    free = [
        c for c in columns
        if c.name not in found.taken and c.distinct > 1 and not c.flag and not _known_kinds(c)
    ]  # fmt: skip
    for name, column in zip(("user_id", "item_id"), free, strict=False):
        if name not in found.columns:
            why = f"no names; ids are taken as user, item, category; {_content(column)}"
            found.take(name, column.name, why, sure=False)
    if len(free) > 2 and free[2].whole > 0.99:
        found.category = free[2].name


def _known_kinds(column: Column) -> float:
    """Return the share of rows whose text is a kind of event that shops use."""
    rows = sum(column.top.values())
    if column.distinct > 50 or not rows:
        return 0.0
    return sum(n for text, n in column.top.items() if names.kind_of(text)) / rows


def _what_happened(found: Mapping, columns: Sequence[Column]) -> None:
    free = [c for c in columns if c.name not in found.taken]
    named = [c for c in free if names.field_of(c.name) == "kind" and c.distinct <= 50]
    known = sorted((c for c in free if _known_kinds(c) > 0.5), key=_known_kinds, reverse=True)
    coded = [c for c in named if set(c.top) <= set(_CODES) or set(c.top) <= set(_CODED)]
    flags = [c for c in free if names.flag_of(c.name) and c.flag]
    if known:
        column = known[0]
        found.kinds = {text: names.kind_of(text) or names.plain(text) for text in column.top}
        odd = [text for text in column.top if names.kind_of(text) is None]
        shown = ", ".join(f"{text} → {kind}" for text, kind in list(found.kinds.items())[:6])
        found.take("kind", column.name, f"its texts are kinds of event: {shown}")
        if odd:
            found.tell(
                "data.kinds",
                ", ".join(odd),
                "kinds that are not known; they keep their names, and null would leave them out",
                sure=False,
            )
    elif coded:
        codes = _CODES if set(coded[0].top) <= set(_CODES) else _CODED
        found.kinds = {text: codes[text] for text in sorted(coded[0].top)}
        told = ", ".join(f"{code} {kind}" for code, kind in found.kinds.items())
        found.take("kind", coded[0].name, f"codes, read as {told}", sure=False)
    elif flags:
        _wide(found, free, flags)
    elif named:
        found.kinds = {text: names.plain(text) for text in named[0].top}
        found.take("kind", named[0].name, "its name; none of its texts is known", sure=False)
    else:
        money = {"value", "quantity"} & set(found.columns)
        found.every_row = "purchase" if money else "interaction"
        found.tell(
            "data.every_row",
            found.every_row,
            "no column says what happened" + ("; rows have money or a quantity" if money else ""),
            sure=False,
        )


def _wide(found: Mapping, free: Sequence[Column], flags: Sequence[Column]) -> None:
    """A column a behaviour: money and times belong to the purchase, or to the last of them."""
    for column in flags:
        kind = str(names.flag_of(column.name))
        if kind in found.outcomes:
            kind = names.plain(column.name)
        found.outcomes[kind] = {"column": column.name}
        found.taken.add(column.name)
        yes = sum(
            n for t, n in column.top.items() if t.lower() in ("1", "1.0", "true", "yes", "t", "y")
        )
        rows = sum(column.top.values())
        found.tell(
            f"data.outcomes.{kind}", column.name, f"its name; yes in {yes:,} of {rows:,} rows"
        )
    last = "purchase" if "purchase" in found.outcomes else list(found.outcomes)[-1]
    money = [c for c in free if names.is_money(c.name) and c.numbers + c.commas > 0.9]
    if money:
        found.columns.pop("value", None)
        _belongs(found, last, "value", money[0])
    elif "value" in found.columns:
        found.guesses = [g for g in found.guesses if g.field != "data.columns.value"]
        found.taken.discard(found.columns.pop("value"))  # a price of the item, and nothing paid
    for part, fits in (("delay_seconds", names.is_delay), ("at", names.is_outcome_time)):
        timed = [c for c in free if fits(c.name) and c.name not in found.taken]
        if timed and not {"delay_seconds", "at"} & set(found.outcomes[last]):
            _belongs(found, last, part, timed[0])


def _belongs(found: Mapping, kind: str, part: str, column: Column) -> None:
    found.outcomes[kind][part] = column.name
    found.taken.add(column.name)
    why = f"its name; {_content(column)}"
    found.tell(f"data.outcomes.{kind}.{part}", column.name, why)


def _item(found: Mapping, columns: Sequence[Column], table: Table) -> None:
    if "item_id" in found.columns:
        return
    arms = [c for c in columns if names.is_arm(c.name) and 2 <= c.distinct <= 100]
    if found.outcomes and arms:
        column = arms[0]
        arm = ", ".join(list(column.top)[:5])
        found.take("item_id", column.name, f"what an experiment tried stands for the item: {arm}")
        return
    shown = ", ".join(table.columns)
    raise ShopguideError(
        table.files[0].path,
        f"no column looks like an item; it has {shown}",
        "Name it item_id, or write the spec by hand: docs/data.md says how",
    )
