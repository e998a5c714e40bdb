"""A small shop whose export is drawn from a known model, for tests of the whole way."""

import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

SPEC = """
name: planted
title: A planted shop
notes: [Drawn from a known model; no real customer is in it.]
home: {home}
data:
  source: events
  path: {export}
  columns: {{user_id: user, item_id: item, kind: type, at: time, value: price, session_id: session}}
  kinds: {{view: view, cart: cart, purchase: purchase}}
  currency: EUR
  item_attributes: {{category: category}}
attribution: {{match: user_item, window_hours: 2}}
split:
  train: {{start: 2024-01-08, end: 2024-02-12}}
  valid: {{start: 2024-02-12, end: 2024-02-26}}
  test: {{start: 2024-02-26, end: 2024-03-18}}
tasks:
  cart: {{kind: binary, event: cart}}
  purchase: {{kind: binary, event: purchase, after: cart}}
  order_value: {{kind: amount, event: purchase, after: purchase, unit: EUR}}
features:
  period: day
  views:
    user_category:
      keys: [user_id, category]
      kind: cart
      measures:
        carts: {{count_distinct: basket_id, windows: [7, 28]}}
        last: {{last: at}}
    user:
      keys: [user_id]
      kind: cart
      measures:
        shelves: {{sequence: category, length: 8}}
    item:
      keys: [item_id]
      kind: cart
      measures:
        users: {{count_distinct: user_id, windows: [7, 28]}}
        spend: {{sum: value, windows: [28]}}
    shown:
      keys: [item_id]
      kind: view
      measures:
        users: {{count_distinct: user_id, windows: [28]}}
  item_attributes: {{category: categorical}}
  id_inputs: [item_id]
model:
  embedding_dim: 8
  experts: 2
  hidden: [32]
  tower: [16]
  dropout: 0.05
  lists:
    user_shelves: {{kind: sequence, length: 8, of: category, encoder: din}}
training: {{batch_size: 512, epochs: 6, learning_rate: 0.005, patience: 2, threads: 1}}
objective:
  goals:
    carts: {{task: cart, weight: 0.3}}
    conversion: {{task: purchase, weight: 0.4}}
    sales: {{task: order_value, weight: 0.3}}
  discount: {{kind: dcg, k: 3}}
gate:
  min_gain: 0.0
  margins: {{carts: 0.02, conversion: 0.03, sales: 0.05}}
  floors: {{cart: {{auc: 0.6}}}}
  baseline: item_users_28
  replicates: 1000
  max_latency_ms: null
serving: {{clock: log_end, blessing_requests: 5}}
"""

_CATEGORIES, _ITEMS, _USERS, _DAYS = 6, 60, 400, 77
_START = datetime(2024, 1, 1, tzinfo=UTC)


def write_spec(folder: Path, export: Path) -> Path:
    """Write the planted shop's spec beside a home of its own; return its path."""
    path = folder / "planted.yaml"
    path.write_text(SPEC.format(home=folder / "home", export=export), encoding="utf-8")
    return path


def write_export(path: Path, *, seed: int = 7, users: int = _USERS) -> Path:
    """Write the export: users see eight items a session, and cart what suits their taste.

    A cart event follows a view with probability σ(−2.2 + taste of the category + appeal of the
    item), a purchase follows a cart with probability 0.5; prices are the items' own.
    """
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1.5, (users, _CATEGORIES))
    appeal = rng.normal(0, 0.7, _ITEMS)
    price = np.round(rng.lognormal(2.5, 0.6, _ITEMS), 2)
    rows: list[tuple[str, str, str, str, str, str, str]] = []
    for user in range(users):
        for visit in range(int(rng.poisson(14))):
            at = _START + timedelta(days=float(rng.uniform(0, _DAYS)))
            for item in rng.choice(_ITEMS, 8, replace=False):
                at += timedelta(seconds=float(rng.uniform(5, 60)))
                p = _sigmoid(-2.2 + taste[user, item % _CATEGORIES] + appeal[item])
                kinds = ["view"]
                if rng.random() < p:
                    kinds.append("cart")
                    if rng.random() < 0.5:
                        kinds.append("purchase")
                for step, kind in enumerate(kinds):
                    stamp = (at + timedelta(seconds=step)).isoformat(timespec="seconds")
                    rows.append(
                        (
                            stamp,
                            kind,
                            f"i{item}",
                            f"c{item % _CATEGORIES}",
                            f"{price[item]:.2f}",
                            f"u{user}",
                            f"s{user}-{visit}",
                        )
                    )
    rows.sort()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "type", "item", "category", "price", "user", "session"])
        writer.writerows(rows)
    return path


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
