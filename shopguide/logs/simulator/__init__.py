"""A shop drawn from a known model: its log, and the truth about it.

The log carries what a shop would know. The truth (expected outcomes, tastes, the value of any
policy) stays in memory, in `Shop`.

Example:
    >>> from shopguide.logs.simulator import simulate
    >>> from shopguide.spec.simulator import Simulator
    >>> shop = simulate(Simulator(source="simulator", users=100, items=50, days=7))
    >>> best = shop.true_value(shop.expected("money", examined=True), "money")
    >>> best > shop.true_value(shop.logging_policy(), "money")
    True
"""

from shopguide.logs.simulator.funnel import OUTCOMES, Outcome
from shopguide.logs.simulator.shop import Shop
from shopguide.logs.simulator.simulate import simulate
from shopguide.logs.simulator.task_outcome import outcome_of

__all__ = ["OUTCOMES", "Outcome", "Shop", "outcome_of", "simulate"]
