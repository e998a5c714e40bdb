"""Payments in logarithms, robustly."""

from typing import Self

from torch import Tensor
from torch.nn.functional import huber_loss

from shopguide.models.heads.amount import AmountHead, AmountOutcome
from shopguide.models.heads.head import LabelStatistics


class HuberLogHead(AmountHead):
    """Huber's loss on the logarithm of a payment.

        payment loss = huber((log y − μ) / s),   E[y] = p · exp(μ + s²/2)

    s is the deviation of log y over the training rows: quadratic up to one of it, linear beyond,
    so that a few enormous baskets do not steer the rest. The expectation takes s for the spread,
    which overstates it where the inputs say much; the calibrator corrects the level.

    Source: Huber, "Robust Estimation of a Location Parameter", Ann. Math. Stat. 35, 1964.
    """

    def __init__(
        self, in_dim: int, statistics: LabelStatistics, *, has_parent: bool, biases: list[float]
    ) -> None:
        super().__init__(in_dim, statistics, has_parent=has_parent, biases=biases)
        self.spread = statistics.log_std

    @classmethod
    def build(cls, in_dim: int, statistics: LabelStatistics, *, has_parent: bool) -> Self:
        """Start at the rate, and at the mean of log y."""
        return cls(in_dim, statistics, has_parent=has_parent, biases=[statistics.log_mean])

    def outcome(self, raw: Tensor, log_p: Tensor, log_q: Tensor) -> AmountOutcome:
        """Return the distribution from μ [B, ≥ 1]."""
        return AmountOutcome(log_p, log_q, log_mean=raw[:, 0] + self.spread**2 / 2)

    def payment_loss(self, outcome: AmountOutcome, payment: Tensor) -> Tensor:
        """Return Huber's loss of the scaled residual [B]."""
        mu = outcome.log_mean - self.spread**2 / 2
        return huber_loss(mu / self.spread, payment.log() / self.spread, reduction="none")
