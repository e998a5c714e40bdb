"""Draw a shop."""

import numpy as np

from shopguide.logs.simulator.funnel import draw, examination, expectations
from shopguide.logs.simulator.latent import draw_items, draw_users
from shopguide.logs.simulator.lists import draw_lists
from shopguide.logs.simulator.shop import Shop
from shopguide.spec.simulator import Simulator


def simulate(parameters: Simulator, seed: int | None = None) -> Shop:
    """Draw a shop: users, items, lists, and what happened.

    Args:
        parameters: the spec's `data`.
        seed: in place of `parameters.seed`.
    """
    if seed is not None:
        parameters = parameters.model_copy(update={"seed": seed})
    of_items, of_users, of_lists, of_luck = (
        np.random.default_rng(part) for part in np.random.SeedSequence(parameters.seed).spawn(4)
    )
    items, centres = draw_items(parameters, of_items)
    users = draw_users(parameters, centres, of_users)
    lists = draw_lists(parameters, users, items, of_lists)
    relevance = expectations(
        parameters, users, items, lists.user[:, None], lists.item, lists.day[:, None]
    )
    position = np.arange(1, parameters.list_length + 1)
    drawn = draw(parameters, relevance, examination(parameters, position), of_luck)
    return Shop(parameters, users, items, lists, relevance, drawn)
