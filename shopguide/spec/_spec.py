"""The whole spec, and the rules that join its sections."""

from typing import Self

from pydantic import Field, model_validator

from shopguide.spec._section import Name, Section
from shopguide.spec.data import Attribution, Data
from shopguide.spec.event_log import EventLog
from shopguide.spec.features import Features
from shopguide.spec.gate import Gate
from shopguide.spec.inputs import ListInput
from shopguide.spec.loop import Loop
from shopguide.spec.model import Model, Training
from shopguide.spec.objective import IMPRESSIONS, Objective
from shopguide.spec.serving import Registry, Serving
from shopguide.spec.split import Split
from shopguide.spec.tasks import AmountTask, BinaryTask, CategoryTask, Task
from shopguide.spec.validation import Validation

_RESERVED = {
    "row_id", "request_id", "user_id", "item_id", "shown_at", "sample_weight", "position",
    "propensity", "split", "impressions",
}  # fmt: skip
"""Columns of the training set, which no task may be called like."""


class Spec(Section):
    """One document that says everything about a shop's model; the only home of defaults."""

    name: Name = Field(description="Name of the registered model and of the Bento.")
    title: str | None = Field(None, description="What the report calls the shop.")
    profile: str | None = Field(None, description="Profile applied when none is named.")
    notes: list[str] = Field(
        default_factory=list, description="Limits of the data that every report must repeat."
    )
    home: str = Field(
        ".shopguide", description="Folder for what outlives a run: registry, feature store, Bentos."
    )
    seed: int = Field(0, ge=0, lt=2**32)
    data: Data
    attribution: Attribution = Attribution()
    split: Split
    tasks: dict[Name, Task] = Field(min_length=1)
    features: Features = Features()
    validation: Validation = Validation()
    model: Model = Model()
    training: Training = Training()
    objective: Objective
    gate: Gate = Gate()
    loop: Loop = Loop()
    serving: Serving = Serving()
    registry: Registry = Registry()

    @model_validator(mode="after")
    def _tasks_follow_tasks(self) -> Self:
        for name, task in self.tasks.items():
            if task.after is None:
                continue
            earlier = list(self.tasks)[: list(self.tasks).index(name)]
            if task.after not in earlier:
                above = ", ".join(earlier) or "none"
                msg = f"tasks.{name}.after: {task.after!r} is not a task above it ({above})"
                raise ValueError(msg)
            if not isinstance(self.tasks[task.after], BinaryTask):
                msg = f"tasks.{name}.after: {task.after!r} is not a binary task"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _negatives_are_of_one_funnel(self) -> Self:
        first = [name for name, task in self.tasks.items() if task.after is None]
        for name, task in self.binary_tasks().items():
            if task.negative_rate < 1 and first != [name]:
                msg = (
                    f"tasks.{name}.negative_rate: the correction is exact for the first stage of "
                    f"the only funnel; tasks that come after none are {', '.join(first)}"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _categories_are_no_goals(self) -> Self:
        for name, goal in self.objective.goals.items():
            for field, task in (("task", goal.task), ("per", goal.per)):
                if task in self.category_tasks():
                    msg = f"objective.goals.{name}.{field}: {task!r} is a category, no quantity"
                    raise ValueError(msg)
        for task in self.objective.rank_by or ():
            if task in self.category_tasks():
                msg = f"objective.rank_by: {task!r} is a category, no quantity"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _kinds_occur(self) -> Self:
        wanted = [(f"tasks.{n}.event", e) for n, task in self.tasks.items() for e in task.events]
        wanted += [
            (f"features.views.{n}.kind", view.kind) for n, view in self.features.views.items()
            if view.kind is not None
        ]  # fmt: skip
        known = ["click", "cart", "purchase"]
        if isinstance(self.data, EventLog):
            known = sorted(self.data.canonical_kinds())
            wanted.append(("data.exposure.event", self.data.exposure.event))
            if self.data.returns is not None:
                wanted.append(("data.returns.event", self.data.returns.event))
                wanted += [("data.returns.kinds", kind) for kind in self.data.returns.kinds]
        for field, kind in wanted:
            if kind not in known:
                msg = f"{field}: no kind of event {kind!r} here; kinds are {', '.join(known)}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _sequences_are_lists_of_the_model(self) -> Self:
        """Give each sequence of the features an entry in model.lists, where it has none."""
        categorical = self.features.categorical_names()
        lists = dict(self.model.lists)
        for name, measure in self.features.sequences().items():
            of = measure.sequence if measure.sequence in categorical else None
            lists.setdefault(
                name, ListInput(kind="sequence", length=measure.length or 1, of=of, encoder="mean")
            )
            if lists[name].kind != "sequence":
                msg = f"model.lists.{name}.kind: the features say that it is a sequence"
                raise ValueError(msg)
        if len(lists) > len(self.model.lists):
            # the section is frozen for its readers; here it is still being made
            object.__setattr__(self, "model", self.model.model_copy(update={"lists": lists}))
        return self

    @model_validator(mode="after")
    def _tasks_are_no_columns(self) -> Self:
        taken = _RESERVED & set(self.tasks)
        if taken:
            msg = f"tasks.{min(taken)}: the name is that of a column; choose another"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _goals_name_outcomes(self) -> Self:
        taken = sorted({*self.tasks, IMPRESSIONS} & set(self.objective.outcomes))
        if taken:
            msg = f"objective.outcomes: {taken[0]!r} is the name of another outcome; rename it"
            raise ValueError(msg)
        known = [*self.tasks, *self.objective.outcomes, IMPRESSIONS]
        for name, goal in self.objective.goals.items():
            for field, outcome in (("task", goal.task), ("per", goal.per)):
                if outcome is not None and outcome not in known:
                    msg = (
                        f"objective.goals.{name}.{field}: no task {outcome!r}; "
                        f"outcomes are {', '.join(known)}"
                    )
                    raise ValueError(msg)
        for task in self.objective.rank_by or ():
            if task not in self.tasks:
                msg = f"objective.rank_by: no task {task!r}; tasks are {', '.join(self.tasks)}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _sections_name_what_is_there(self) -> Self:
        for section, names, allowed in (
            ("gate.margins", self.gate.margins, self.objective.goals),
            ("gate.floors", self.gate.floors, self.quantities()),
            ("training.task_weights", self.training.task_weights, self.tasks),
        ):
            for name in names:
                if name not in allowed:
                    msg = f"{section}.{name}: unknown; allowed are {', '.join(allowed)}"
                    raise ValueError(msg)
        return self

    def binary_tasks(self) -> dict[str, BinaryTask]:
        """Return the binary tasks by name, in the order of the spec."""
        return {n: t for n, t in self.tasks.items() if isinstance(t, BinaryTask)}

    def category_tasks(self) -> dict[str, CategoryTask]:
        """Return the category tasks by name, in the order of the spec."""
        return {n: t for n, t in self.tasks.items() if isinstance(t, CategoryTask)}

    def quantities(self) -> dict[str, BinaryTask | AmountTask]:
        """Return the tasks that are predicted as one number, in the order of the spec."""
        return {n: t for n, t in self.tasks.items() if not isinstance(t, CategoryTask)}

    def amount_tasks(self) -> dict[str, AmountTask]:
        """Return the amount tasks by name, in the order of the spec."""
        return {n: t for n, t in self.tasks.items() if isinstance(t, AmountTask)}
