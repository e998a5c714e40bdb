"""Features: the catalogue, its snapshots, Feast, and the training set.

Example:
    >>> from shopguide.features import model_inputs
    >>> from shopguide.spec import load_spec
    >>> [column.name for column in model_inputs(load_spec("specs/complete_journey.yaml"))][:2]
    ['user_id', 'item_id']
"""

from typing import TYPE_CHECKING, Any

from shopguide.features.catalogue import ModelInput, model_inputs

if TYPE_CHECKING:
    from shopguide.features.materialize import materialize_features
    from shopguide.features.online import OnlineFeatures
    from shopguide.features.online_writer import materialize_online

__all__ = [
    "ModelInput",
    "OnlineFeatures",
    "materialize_features",
    "materialize_online",
    "model_inputs",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    """Load the heavy rooms on first use: the service needs the catalogue and the reader alone."""
    if name == "materialize_features":
        from shopguide.features.materialize import materialize_features

        return materialize_features
    if name == "materialize_online":
        from shopguide.features.online_writer import materialize_online

        return materialize_online
    if name == "OnlineFeatures":
        from shopguide.features.online import OnlineFeatures

        return OnlineFeatures
    raise AttributeError(name)
