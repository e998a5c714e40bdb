"""What every balancer does, and the one that does nothing."""

from torch import Tensor, nn


class Balancer:
    """Weights w [T] of a step: what is minimised is Σ_t w_t · L_t, one backward pass of it.

    Args:
        preference: c [T], ≥ 0: the spec's task weights.
    """

    uses_gradients = False
    """Whether `weights` needs the Gramian of the tasks' gradients."""

    uses_outcome = False
    """Whether `observe` wants the losses of the same rows after the step."""

    def __init__(self, preference: Tensor) -> None:
        self.preference = preference

    def weights(self, losses: Tensor, gramian: Tensor | None) -> Tensor:
        """Return w [T].

        Args:
            losses: L [T], over the rows of all processes, without gradient.
            gramian: G_st = g_s · g_t [T, T] of the gradients of the losses by the shared
                representation; None if this balancer does not use it.
        """
        raise NotImplementedError

    def observe(self, losses: Tensor) -> None:
        """Learn from the losses [T] of the same rows after the step."""

    def end_epoch(self) -> None:
        """Learn from the epoch."""

    def parameters(self) -> list[nn.Parameter]:
        """Return what the optimiser learns; `weights` sets its gradients."""
        return []

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        return {}

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint's state."""


class WeightedSum(Balancer):
    """w = c."""

    def weights(self, losses: Tensor, gramian: Tensor | None) -> Tensor:
        """Return c."""
        del losses, gramian
        return self.preference
