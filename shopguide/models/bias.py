"""What moves the logits of logged rows: where an item stood, and which rows were drawn."""

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from shopguide.models.inputs import Inputs
from shopguide.spec.tasks import BinaryTask, Task

REACH = 8.0
"""Logits that a unit of a position's weight stands for. Adam moves every weight by about the
learning rate a step, and a position's logit has to go far before taste is credited with it."""


class LoggedBias(nn.Module):
    """Offsets of the first stages' logits for rows of the log; nothing of it is served.

        offset = b_position − mean over the batch of b_position − log w

    b is learnt, a number per position and first stage, 0 at first and where the position is not
    known; taking its mean away leaves the level to the network, so that leaving b out serves every
    item as at an average position. w is the share of the negatives that training draws: the odds
    among the rows drawn are 1/w of the true ones. Validation rows are not drawn: − log w is for
    training alone.

    Source: Zhao et al., "Recommending What Video to Watch Next: A Multitask Ranking System",
    RecSys 2019, §4.3 (the tower, here a number a position); King and Zeng, "Logistic Regression in
    Rare Events Data", Political Analysis 9, 2001 (the correction).

    Args:
        inputs: of which one of training alone is the position, if it is learnt.
        tasks: the spec's tasks.
    """

    def __init__(self, inputs: Inputs, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        first = [
            name
            for name, task in tasks.items()
            if isinstance(task, BinaryTask) and task.after is None
        ]
        self.first = first
        self.drawn = {name: cast(BinaryTask, tasks[name]).negative_rate for name in first}
        codes = [column.codes for column in inputs.coded if column.training_only]
        self.positions = nn.Embedding(codes[0], len(first)) if codes else None
        if self.positions is not None:
            nn.init.zeros_(self.positions.weight)

    def forward(self, categorical: Tensor) -> dict[str, Tensor]:
        """Return the offset of each first stage's logit [B], from the codes [B, C + 1].

        Where there is nothing to add, no stage has one.
        """
        if self.positions is None and all(rate == 1 for rate in self.drawn.values()):
            return {}
        drawn = [self.drawn[name] if self.training else 1.0 for name in self.first]
        corrections = torch.tensor([-math.log(rate) for rate in drawn])
        offsets = corrections.expand(len(categorical), -1)  # [B, stages]
        if self.positions is not None:
            effects = REACH * self.positions(categorical[:, -1])
            offsets = offsets + effects - effects.mean(dim=0)
        return dict(zip(self.first, offsets.unbind(dim=1), strict=True))
