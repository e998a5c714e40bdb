"""The whole network: encoder, architecture, towers and heads."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from shopguide.models.bank import Bank
from shopguide.models.bias import LoggedBias
from shopguide.models.encoder import Encoder
from shopguide.models.heads import HEADS, EventOutcome, Head, LabelStatistics, Outcome
from shopguide.models.inputs import Inputs
from shopguide.models.layout import Layout
from shopguide.models.registry import ARCHITECTURES
from shopguide.spec.model import Model
from shopguide.spec.tasks import AmountTask, CategoryTask, Task


class Network(nn.Module):
    """Predict every task of an impression. B batch, C categoricals, N numbers, T tasks.

    Args:
        inputs: the C categoricals and the N numbers.
        tasks: the spec's tasks, a parent before its stages.
        statistics: of the training labels, by task.
        model: the spec's model section.
    """

    def __init__(
        self,
        inputs: Inputs,
        tasks: Mapping[str, Task],
        statistics: Mapping[str, LabelStatistics],
        model: Model,
    ) -> None:
        super().__init__()
        self.parents = {name: task.after for name, task in tasks.items()}
        self.code_width = inputs.code_width
        architecture = ARCHITECTURES[model.architecture]
        self.encoder = Encoder(
            inputs,
            embedding_dim=model.embedding_dim,
            dropout=model.dropout,
            unknown_rate=model.unknown_rate,
            sets=architecture.embedding_sets(len(tasks)),
        )
        self.architecture = architecture.build(self._layout(inputs), model)
        width = self.architecture.output_dim
        self.towers = Bank.of(model, len(tasks), width, model.tower, own_input=True)
        self.bias = LoggedBias(inputs, tasks)
        self.heads = nn.ModuleDict(
            {
                name: HEADS[_head_of(task)].build(
                    self.towers.output_dim, statistics[name], has_parent=task.after is not None
                )
                for name, task in tasks.items()
            }
        )

    def forward(self, categorical: Tensor, numeric: Tensor) -> dict[str, Outcome]:
        """Map codes [B, C] and numbers [B, N] to each task's outcome, as it is served."""
        return self.outcomes(*self.shared(categorical, numeric))

    def shared(self, categorical: Tensor, numeric: Tensor) -> tuple[Tensor, Tensor]:
        """Return the representation that all tasks share, and the architecture's input [B, D]."""
        x = self.encoder(categorical, numeric)
        return self.architecture.shared(x), x

    def outcomes(
        self, shared: Tensor, x: Tensor, offsets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Outcome]:
        """Return each task's outcome.

        Args:
            shared: the shared representation.
            x: the architecture's input [B, D].
            offsets: of logged rows' logits [B], by task, as `bias` gives them; None: as served.
        """
        h = self.towers(self.architecture.per_task(shared, x))  # [B, T, H]
        states = h.unbind(dim=1)  # one backward for all: a slice's would fill zeros for each task
        found: dict[str, Outcome] = {}
        for (name, parent), state in zip(self.parents.items(), states, strict=True):
            earlier = found[parent] if parent else None
            assert earlier is None or isinstance(earlier, EventOutcome)
            outcome: Outcome = self.heads[name](state, earlier)
            if offsets and name in offsets:
                assert isinstance(outcome, EventOutcome)
                outcome = outcome.shifted(offsets[name])
            found[name] = outcome
        return found

    def losses(
        self, outcomes: Mapping[str, Outcome], labels: Tensor, weight: Tensor
    ) -> list[Tensor]:
        """Return each task's weighted mean loss, T scalars.

        They are not stacked, so that the gradient of one leaves the other tasks' heads alone.

        Args:
            outcomes: of a forward pass over the same rows.
            labels: [B, T], in the order of the tasks.
            weight: importance of each row [B], ≥ 0.
        """
        share = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
        return [
            self.head(name).loss(outcomes[name], labels[:, t]) @ share
            for t, name in enumerate(outcomes)
        ]

    def regularisation(self) -> Tensor:
        """Return the architecture's penalty, ≥ 0, to be added to the balanced loss."""
        return self.architecture.regularisation()

    def relations(self) -> dict[str, dict[str, float]]:
        """Return how alike the tasks were found, by both their names; empty if it is not learnt."""
        matrix = self.architecture.relations()
        if matrix is None:
            return {}
        rows = zip(self.parents, matrix.tolist(), strict=True)
        return {name: dict(zip(self.parents, row, strict=True)) for name, row in rows}

    def head(self, name: str) -> Head:
        """Return a task's head."""
        head = self.heads[name]
        assert isinstance(head, Head)
        return head

    def _layout(self, inputs: Inputs) -> Layout:
        return Layout(
            in_dim=self.encoder.output_dim,
            columns=self.encoder.columns,
            parents=self.parents,
            categoricals=tuple(column.name for column in inputs.served),
        )


def _head_of(task: Task) -> str:
    if isinstance(task, AmountTask):
        return task.loss
    if isinstance(task, CategoryTask):
        return "category"
    return "binary" if task.after is None else "funnel"
