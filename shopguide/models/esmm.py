"""The entire-space model of a funnel."""

from typing import Self

from torch import Tensor

from shopguide.errors import ShopguideError
from shopguide.models.architecture import Architecture
from shopguide.models.bank import Bank
from shopguide.models.layout import Layout
from shopguide.spec.model import Model


class ESMM(Architecture):
    """A perceptron per stage over embeddings in common; the stages meet in the funnel's product.

        p(purchase ∧ click | x) = p(click | x) · p(purchase | click, x)
        h_t(x) = MLP_t(x)

    The funnel heads make the product, and supervise it over all impressions. What is shared is the
    input's embeddings, which the frequent stage teaches for the rare one: the shared
    representation [B, D]. B batch, D in_dim, T tasks, H output_dim.

    Source: Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating
    Post-Click Conversion Rate", SIGIR 2018, §2.2. Here a funnel of any depth.
    """

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self.output_dim = bank.output_dim
        self.bank = bank

    @classmethod
    def build(cls, layout: Layout, model: Model) -> Self:
        """Build with one perceptron of `hidden` layers per stage.

        Raises:
            ShopguideError: no task comes after another.
        """
        tasks = ", ".join(layout.parents)
        if not any(layout.parents.values()):
            raise ShopguideError(
                "model.architecture",
                f"esmm needs a funnel, and no task has `after` (tasks: {tasks})",
                "Give the later task `after: EARLIER`, or choose another architecture",
            )
        return cls(Bank.of(model, layout.tasks, layout.in_dim, model.hidden))

    def shared(self, x: Tensor) -> Tensor:
        """Return the input [B, D]."""
        return x

    def per_task(self, shared: Tensor, x: Tensor) -> Tensor:
        """Map [B, D] to [B, T, H]."""
        del x
        h: Tensor = self.bank(shared)
        return h
