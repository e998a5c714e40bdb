"""Balancers that look at the tasks' gradients of the shared representation."""

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from shopguide.training.balancing.balancer import Balancer

Weighting = Callable[[Tensor], Tensor]
"""torchjd's map from a Gramian [T, T] to weights [T]."""


def gramian(losses: Sequence[Tensor], shared: Tensor) -> Tensor:
    """Return G_st = g_s · g_t [T, T] of the gradients of T losses by `shared` [B, …].

    They go through the towers alone: T small backward passes instead of T whole ones.
    """
    gradients = [
        torch.autograd.grad(loss, shared, retain_graph=True)[0].flatten() for loss in losses
    ]  # T times [B·S]: products of pairs spare the copy that one matrix would be
    found = shared.new_empty(len(gradients), len(gradients))
    for s, t in combinations_with_replacement(range(len(gradients)), 2):
        found[s, t] = found[t, s] = gradients[s].dot(gradients[t])
    return found


class GradientBalancer(Balancer):
    """w_t = c_t · v_t, v = torchjd's weights for the gradients c_t · g_t.

    The Jacobian is that of the shared representation instead of the shared parameters, of which
    it is a factor; the weights act on the towers too, where Adam undoes most of their scale. Tasks
    of weight 0 are left out.

    Args:
        preference: c [T], ≥ 0.
        build: makes torchjd's weighting for c of the tasks that count; one that takes c itself as
            its preference vector gets the plain gradients.
        takes_preference: whether it does.
        acts_on_conflict: it changes nothing where no two gradients conflict, so nothing is solved.
    """

    uses_gradients = True

    def __init__(
        self,
        preference: Tensor,
        build: Callable[[Tensor], Weighting],
        *,
        takes_preference: bool = False,
        acts_on_conflict: bool = False,
    ) -> None:
        super().__init__(preference)
        self.acts_on_conflict = acts_on_conflict
        self.counting = preference.nonzero().squeeze(1)
        chosen = preference[self.counting]
        self.scale = torch.ones_like(chosen) if takes_preference else chosen
        self.weighting = build(chosen)

    def weights(self, losses: Tensor, gramian: Tensor | None) -> Tensor:
        """Return w [T]."""
        del losses
        assert gramian is not None
        chosen = gramian[self.counting][:, self.counting] * torch.outer(self.scale, self.scale)
        if self.acts_on_conflict and not bool((chosen < 0).any()):
            return self.preference.clone()
        found = torch.zeros_like(self.preference)
        found[self.counting] = self.scale * self.weighting(chosen).detach()
        return found
