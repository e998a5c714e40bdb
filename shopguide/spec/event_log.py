"""A shop's own export: how its files are read, and which column says what."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Name, Rate, Section, Zone

Encoding = Literal["utf-8", "utf-16", "latin-1", "cp1252", "gbk", "gb18030"]
Format = Literal["csv", "parquet", "jsonl"]


class Layout(Section):
    """How a file is written."""

    path: str | list[str] = Field(description="File or glob, or several; .gz and .zst are opened.")
    format: Format | None = Field(None, description="Null: by the suffix.")
    encoding: Encoding = Field("utf-8", description="Of text files.")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="Null: by the suffix, `,` or a tab."
    )
    header: list[str] | None = Field(
        None, min_length=1, description="Names, when the file has no header row."
    )


class Columns(Section):
    """The name that each canonical field has in the export; null when it has none."""

    user_id: str | None = Field(
        None, description="Null: nobody is named, and every request is a user of its own."
    )
    item_id: str
    kind: str | None = Field(
        None, description="Column with the kind of event; null: see data.outcomes."
    )
    at: str | None = Field(
        None, description="Column with the time; null: rows are ten seconds apart, as they stand."
    )
    value: str | None = Field(None, description="Money paid or listed, in `currency`.")
    quantity: str | None = Field(
        None, description="How many: `value` is then the price of one, and is multiplied."
    )
    currency: str | None = Field(None, description="Currency of the row; see data.rates.")
    session_id: str | None = None
    event_id: str | None = Field(None, description="Unique id; duplicates of it are dropped.")
    place_id: str | None = Field(None, description="Store, site or channel.")
    request_id: str | None = Field(None, description="Id of the list that was shown.")
    position: str | None = Field(None, description="Place in the list, from 1.")
    propensity: str | None = Field(
        None, description="Probability with which the shop showed the item there, above 0."
    )
    sample_weight: str | None = Field(None, description="How many rows the row stands for.")
    received_at: str | None = Field(
        None, description="When the shop's server had the event: late and skewed ones are counted."
    )


class Outcome(Section):
    """What a column of a wide row says to have happened after the row's impression."""

    column: str = Field(description="It happened where this is a number above 0, true or yes.")
    value: str | None = Field(None, description="Column of the money that it brought.")
    delay_seconds: str | None = Field(None, description="Column: seconds after the impression.")
    at: str | None = Field(None, description="Column: its time, written as data.time_format says.")

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.delay_seconds is not None and self.at is not None:
            msg = "delay_seconds and at both say when; keep one"
            raise ValueError(msg)
        return self


class Negatives(Section):
    """Items that a request did not touch, drawn to stand for all that it might have shown.

    A row drawn with probability p in n draws weighs 1 / (n p), so that weighted sums over the
    request are, on average, those over every item then known (Hansen and Hurwitz, 1943).
    """

    among: Literal["uniform", "popularity", "category"] = Field(
        "uniform",
        description="Every item alike; as often as it is touched in the log; or alike within the "
        "category of an item that was touched, which stands for that category's page.",
    )
    per_positive: int = Field(4, ge=1, le=1000)


class Exposure(Section):
    """How impressions are known.

    `views`: the first event of kind `event` of a user and item in a session is an impression.
    `logged`: every event of kind `event` is one; in a wide log, every row. `sampled`: what has an
    event of kind `event` is one, and so are items drawn as `negatives` says.
    """

    rule: Literal["views", "logged", "sampled"] = "views"
    event: str = Field("view", description="Canonical kind of event that is an impression.")
    session_minutes: float | None = Field(
        None, gt=0, description="Without session ids: a pause this long ends a session and request."
    )
    pool_minutes: float | None = Field(
        None,
        gt=0,
        description="Logged rows that name no request: those of the same minutes are one list.",
    )
    negatives: Negatives = Negatives()

    @model_validator(mode="after")
    def _pools_logged_rows(self) -> Self:
        if self.pool_minutes is not None and self.rule != "logged":
            msg = f"pool_minutes is for rule: logged, and the rule is {self.rule}; take it out"
            raise ValueError(msg)
        return self


class Attributes(Layout):
    """A file of users or of items: one row each."""

    key: str = Field(description="Column with the id.")
    attributes: dict[Name, str] = Field(min_length=1, description="Attribute → column.")


class Returns(Section):
    """Orders that came back: they are no outcome, and stay in the history as they were known."""

    event: str = Field("purchase", description="Canonical kind of event that may be returned.")
    kinds: list[str] = Field(
        default_factory=list,
        description="Canonical kinds that take back the last one before of the user and item.",
    )
    negative: bool = Field(
        False, description="A row of kind `event` with money below 0 is a return."
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.kinds and not self.negative:
            msg = "says of no row that it is a return; name kinds, or set negative: true"
            raise ValueError(msg)
        return self


class Bots(Section):
    """Users who act faster than people do are counted, and left out if the spec says so."""

    events_per_hour: int = Field(
        1000, ge=1, description="Events of a user in an hour of the clock."
    )
    drop: bool = False


class EventLog(Layout):
    """A shop's own export, one event a row or wide, mapped without code."""

    source: Literal["events"]
    columns: Columns
    kinds: dict[str, str | None] = Field(
        default_factory=dict,
        description="Kind in the export → canonical kind, or null to leave its rows out.",
    )
    every_row: Name | None = Field(
        None, description="Canonical kind that every row is, where no column says so."
    )
    outcomes: dict[Name, Outcome] = Field(
        default_factory=dict, description="Wide rows: canonical kind → the column that says so."
    )
    nulls: list[str] = Field(
        default_factory=list, description="Texts that mean nothing is known, such as NULL or -1."
    )
    time_format: str | list[str] = Field(
        "iso",
        description="`iso`, `epoch_s`, `epoch_ms`, `epoch_us` or a strptime format; of several, "
        "the first that fits.",
    )
    timezone: Zone = Field("UTC", description="Zone of times that name none.")
    decimal: Literal[".", ","] = Field(".", description="What parts cents from whole money.")
    currency: str | None = None
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="Currency of a row → what one unit is in `currency`."
    )
    exposure: Exposure = Exposure()
    returns: Returns | None = None
    bots: Bots = Bots()
    items: Attributes | None = None
    users: Attributes | None = None
    item_attributes: dict[str, str] = Field(
        default_factory=dict, description="Item attribute → column of the export."
    )
    user_attributes: dict[str, str] = Field(
        default_factory=dict, description="User attribute → column of the export."
    )
    context: dict[Name, str] = Field(
        default_factory=dict, description="Column of the impression → column of the export."
    )
    max_bad_share: Rate | Literal[0] = Field(
        0.001,
        description="Share of the rows that may be unusable: they are set apart in quarantine.csv, "
        "and more of them is an error.",
    )

    @model_validator(mode="after")
    def _says_what_happened(self) -> Self:
        if (self.columns.kind is None) == bool(self.kinds):
            msg = "columns.kind and kinds go together: name both, or neither and give outcomes"
            raise ValueError(msg)
        said = [self.columns.kind is not None, bool(self.outcomes), self.every_row is not None]
        if sum(said) != 1:
            msg = (
                "one of columns.kind (one event a row), outcomes (wide rows) and every_row (all of "
                "one kind) says what happened"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _wide_rows_are_impressions(self) -> Self:
        if self.outcomes and self.exposure.rule != "logged":
            msg = "exposure.rule: every row of a wide log is an impression; set rule: logged"
            raise ValueError(msg)
        if self.outcomes and self.exposure.event in self.outcomes:
            msg = f"exposure.event: {self.exposure.event!r} is an outcome; set event: shown"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _users_are_named(self) -> Self:
        if self.columns.user_id is None and self.exposure.rule != "logged":
            msg = f"columns.user_id: exposure.rule {self.exposure.rule} asks who acted; name it"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _attributes_stand_once(self) -> Self:
        for name, table, others in (
            ("items", self.items, self.item_attributes),
            ("users", self.users, self.user_attributes),
        ):
            twice = sorted(set(others) & set(table.attributes)) if table else []
            if twice:
                msg = f"{name}.attributes: {twice[0]!r} stands in {name[:-1]}_attributes too"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _context_is_no_field(self) -> Self:
        taken = {"shown_at", "request_id", "split", "row_id", *Columns.model_fields}
        twice = sorted(taken & set(self.context))
        if twice:
            msg = f"context.{twice[0]}: the name is that of a field; choose another"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _negatives_have_a_category(self) -> Self:
        known = set(self.item_attributes) | set(self.items.attributes if self.items else ())
        sampled = self.exposure.rule == "sampled"
        if sampled and self.exposure.negatives.among == "category" and "category" not in known:
            msg = "exposure.negatives.among: no item attribute is called category; map one"
            raise ValueError(msg)
        return self

    def canonical_kinds(self) -> set[str]:
        """Return every kind of event that the canonical log can hold."""
        kinds = {kind for kind in (*self.kinds.values(), self.every_row) if kind is not None}
        if self.returns is not None and self.returns.negative:
            kinds.add("return")
        return kinds | ({*self.outcomes, self.exposure.event} if self.outcomes else set())
