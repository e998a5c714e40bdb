"""A bandit whose every value has a closed form."""

from dataclasses import dataclass

import numpy as np

from shopguide.evaluation.off_policy import Logged, OutcomeModel

CONTEXTS, ACTIONS = 4, 5


@dataclass(frozen=True, slots=True)
class Bandit:
    """Contexts are uniform; rewards are Bernoulli.

    Args:
        logging: π₀(a | x) [C, A].
        target: π(a | x) [C, A].
        reward: E[r | x, a] [C, A].
    """

    logging: np.ndarray
    target: np.ndarray
    reward: np.ndarray

    @property
    def truth(self) -> float:
        return float((self.target * self.reward).sum(axis=1).mean())

    def draw(self, generator: np.random.Generator, rows: int) -> tuple[Logged, np.ndarray]:
        """Return a log, and the context and action of each row [N, 2]."""
        context = generator.integers(0, CONTEXTS, rows)
        steps = np.cumsum(self.logging[context], axis=1)
        action = (generator.random(rows)[:, None] > steps).sum(axis=1)
        reward = (generator.random(rows) < self.reward[context, action]).astype(float)
        logged = Logged.of(
            reward=reward,
            propensity=self.logging[context, action],
            target=self.target[context, action],
        )
        return logged, np.column_stack([context, action])

    def model(self, seen: np.ndarray, outcomes: np.ndarray) -> OutcomeModel:
        """Return what outcomes [C, A] would be expected at the rows."""
        context, action = seen.T
        expected = (self.target * outcomes).sum(axis=1)
        return OutcomeModel(outcomes[context, action], expected[context])


def bandit(sharpness: float = 1.0) -> Bandit:
    generator = np.random.default_rng(12)
    tables = np.exp(sharpness * generator.normal(size=(2, CONTEXTS, ACTIONS)))
    logging, target = tables / tables.sum(axis=2, keepdims=True)
    return Bandit(logging, target, generator.uniform(0.05, 0.5, (CONTEXTS, ACTIONS)))
