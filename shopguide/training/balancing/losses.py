"""Balancers that look at the tasks' losses alone."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchjd.scalarization import DWA, FAMO, Scalarizer

from shopguide.training.balancing.balancer import Balancer

_MOST_NATS = 30.0


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model without inputs loses, so that losses can be compared.

    Args:
        losses: L₀ [T].
        density: whether a task's loss is a density's, which may be negative [T].
    """

    losses: Tensor
    density: Tensor

    def relative(self, losses: Tensor) -> Tensor:
        """Return v [T] > 0, 1 at the start: L / L₀, and for a density exp(L − L₀)."""
        ratio = losses / torch.where(self.density, 1.0, self.losses)
        apart = (losses - self.losses).clamp(max=_MOST_NATS).exp()
        return torch.where(self.density, apart, ratio)


class LossBalancer(Balancer):
    """w_t = c_t · ∂f(v) / ∂L_t, f one of torchjd's scalarisations and v the relative losses.

    The methods were stated for losses of one unit that are positive, which a density's is not;
    v is both.

    Args:
        preference: c [T], ≥ 0.
        scalarizer: f.
        reference: makes v of L.
    """

    def __init__(self, preference: Tensor, scalarizer: Scalarizer, reference: Reference) -> None:
        super().__init__(preference)
        self.scalarizer = scalarizer
        self.reference = reference
        self.uses_outcome = isinstance(scalarizer, FAMO)

    def weights(self, losses: Tensor, gramian: Tensor | None) -> Tensor:
        """Return w [T]; sets the gradients of what the scalarisation learns."""
        del gramian
        leaf = losses.detach().requires_grad_()
        self.scalarizer(self.reference.relative(leaf)).backward()
        assert leaf.grad is not None
        return self.preference * leaf.grad

    def observe(self, losses: Tensor) -> None:
        """Tell FAMO what the step did."""
        assert isinstance(self.scalarizer, FAMO)
        self.scalarizer.update(self.reference.relative(losses))

    def end_epoch(self) -> None:
        """Tell DWA that an epoch is over."""
        if isinstance(self.scalarizer, DWA):
            self.scalarizer.step()

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the model's optimiser learns; FAMO has its own."""
        return [] if self.uses_outcome else list(self.scalarizer.parameters())

    def state(self) -> dict[str, object]:
        """Return the parameters, the plain fields, and the state of FAMO's own optimiser."""
        optimizer = getattr(self.scalarizer, "_optimizer", None)
        return {
            "parameters": self.scalarizer.state_dict(),
            "fields": {k: v for k, v in vars(self.scalarizer).items() if _is_state(k, v)},
            "optimizer": None if optimizer is None else optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.scalarizer.load_state_dict(state["parameters"])
        for name, value in state["fields"].items():
            setattr(self.scalarizer, name, value)
        if state["optimizer"] is not None:
            assert isinstance(self.scalarizer, FAMO)
            famo = self.scalarizer
            famo._optimizer = torch.optim.Adam(
                famo.parameters(), lr=famo.lr, weight_decay=famo.weight_decay
            )
            famo._optimizer.load_state_dict(state["optimizer"])


def _is_state(name: str, value: object) -> bool:
    if name == "training":
        return False
    if isinstance(value, list):
        return all(isinstance(entry, Tensor) for entry in value)
    return isinstance(value, Tensor | int | float)
