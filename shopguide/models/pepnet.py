"""Layers that are scaled for the scenario and for the person."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from shopguide.errors import ShopguideError
from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class Gate(nn.Module):
    """2 · σ(relu(u·W + b)·V + c) in (0, 2); exactly 1 at first, so that it scales nothing yet."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_dim, out_dim)
        self.second = nn.Linear(out_dim, out_dim)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, u: Tensor) -> Tensor:
        """Map [B, U] to factors [B, ·]."""
        h: Tensor = self.second(self.first(u).relu())
        return 2 * h.sigmoid()


class PEPNet(Architecture):
    """Scale the input by the scenario (EPNet), and each task's layers by the person (PPNet).

        z = gate(scenario ⊕ stop(x)) ⊙ x
        h^l_t = gate^l(person ⊕ stop(z))_t ⊙ layer^l_t(h^{l−1}_t),   h^0_t = z

    `scenario_inputs` and `person_inputs` of the spec say whose columns of x are meant; none means
    all embeddings. B batch, D in_dim, T tasks, H output_dim. The shared representation is z.

    Source: Chang et al., "PEPNet: Parameter and Embedding Personalized Network for Infusing with
    Personalized Prior Information", KDD 2023, §3. Here one gate serves all tasks of a layer.
    """

    def __init__(
        self,
        layers: Sequence[Bank],
        *,
        in_dim: int,
        scenario: Sequence[int],
        person: Sequence[int],
    ) -> None:
        super().__init__()
        self.output_dim, self.tasks = layers[-1].output_dim, layers[0].members
        self.layers = nn.ModuleList(layers)
        self.scenario = nn.Buffer(torch.tensor(scenario), persistent=False)
        self.person = nn.Buffer(torch.tensor(person), persistent=False)
        self.of_input = Gate(len(scenario) + in_dim, in_dim)
        self.of_layers = nn.ModuleList(
            Gate(len(person) + in_dim, self.tasks * layer.output_dim) for layer in layers
        )

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with a layer per width in `hidden` for each task.

        Raises:
            ShopguideError: an input that the spec names for the gates is not there.
        """
        dims = [layout.in_dim, *model.hidden]
        layers = [
            Bank.of(model, layout.tasks, d, [width], own_input=position > 0)
            for position, (d, width) in enumerate(pairwise(dims))
        ]
        return cls(
            layers,
            in_dim=layout.in_dim,
            scenario=_columns(layout, model.scenario_inputs, "scenario_inputs"),
            person=_columns(layout, model.person_inputs, "person_inputs"),
        )

    def shared(self, x: Tensor) -> Tensor:
        """Scale the input [B, D] for its scenario, to [B, D]."""
        prior = x.index_select(1, self.scenario)
        factors: Tensor = self.of_input(torch.cat([prior, x.detach()], dim=1))
        return factors * x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map the scaled input [B, D] to [B, T, H]."""
        prior = torch.cat([x.index_select(1, self.person), shared.detach()], dim=1)
        h = shared
        for layer, gate in zip(self.layers, self.of_layers, strict=True):
            h = layer(h) * gate(prior).unflatten(1, (self.tasks, -1))
        return h


def _columns(layout: Layout, names: Sequence[str], field: str) -> list[int]:
    absent = [name for name in names if name not in layout.columns]
    if absent:
        raise ShopguideError(
            f"model.{field}",
            f"names {', '.join(absent)}; the inputs are {', '.join(layout.columns)}",
            "Name inputs of the model",
        )
    chosen = list(names) or list(layout.categoricals) or list(layout.columns)
    return [c for name in chosen for c in range(layout.in_dim)[layout.columns[name]]]
