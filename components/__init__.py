"""KFP components, one a file: typed inputs and outputs, and a body that calls shopguide.

Example:
    >>> from components import prepare_logs, train_mtl
    >>> prepare_logs.component_spec.name
    'prepare-logs'
"""

from components.check_spec import check_spec
from components.choose_candidate import choose_candidate
from components.evaluate_gate import evaluate_gate
from components.fetch_champion import fetch_champion
from components.materialize_features import materialize_features
from components.materialize_online import materialize_online
from components.package_bento import package_bento
from components.prepare_logs import prepare_logs
from components.promote_model import promote_model
from components.record_refusal import record_refusal
from components.record_run import record_run
from components.solve_objective import solve_objective
from components.stop_on_invalid_data import stop_on_invalid_data
from components.train_mtl import train_mtl
from components.validate_data import validate_data

__all__ = [
    "check_spec",
    "choose_candidate",
    "evaluate_gate",
    "fetch_champion",
    "materialize_features",
    "materialize_online",
    "package_bento",
    "prepare_logs",
    "promote_model",
    "record_refusal",
    "record_run",
    "solve_objective",
    "stop_on_invalid_data",
    "train_mtl",
    "validate_data",
]
