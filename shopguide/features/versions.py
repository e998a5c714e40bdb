"""Names of feature views and of the feature service, each with the hash of its definition.

A view whose definition changes is another view, with other columns in the online store; the
champion goes on reading the one that it was trained with, while a challenger's is filled.
"""

import hashlib
import json
from typing import Any

from shopguide.features.catalogue import ITEM_VIEW, USER_VIEW, key_attributes, model_inputs
from shopguide.spec import Spec

_DIGITS = 8


def feast_view(spec: Spec, view: str) -> str:
    """Return the name under which Feast knows a view: `VIEW_HASH`.

    Args:
        spec: reads `features`.
        view: name of a view in the spec, or of the static attributes.
    """
    features = spec.features
    definition: dict[str, object]
    if view == USER_VIEW:
        definition = {"attributes": dict(features.user_attributes)}
    elif view == ITEM_VIEW:
        definition = {
            "attributes": dict(features.item_attributes),
            "keys": key_attributes(features),
        }
    else:
        definition = {
            "view": _without_news(features.views[view].model_dump(mode="json")),
            "period": features.period,
            "timezone": features.timezone,
        }
        if features.delay_minutes:
            definition["delay_minutes"] = features.delay_minutes
    return f"{view}_{_hash(definition)}"


def feature_service(spec: Spec) -> str:
    """Return the name of the feature service: `SPEC_HASH`, the same iff the inputs are the same.

    Args:
        spec: reads `name` and `features`.
    """
    inputs = [
        (column.name, column.kind, column.view and feast_view(spec, column.view))
        for column in model_inputs(spec)
    ]
    return f"{spec.name}_{_hash(inputs)}"


def _without_news(view: dict[str, Any]) -> dict[str, Any]:
    """Leave out fields that measures got later, where unused: a view of before keeps its name."""
    for measure in view["measures"].values():
        for field in ("sequence", "length"):
            if measure[field] is None:
                del measure[field]
    return view


def _hash(definition: object) -> str:
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
