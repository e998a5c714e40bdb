"""The typed spec: the only configuration, and the only home of defaults.

Example:
    >>> from shopguide.spec import load_spec
    >>> spec = load_spec("specs/complete_journey.yaml", overrides=["training.max_steps=1"])
    >>> spec.training.max_steps
    1
"""

from shopguide.spec._load import check_text, dump_spec, json_schema, load_spec, override
from shopguide.spec._spec import Spec

__all__ = ["Spec", "check_text", "dump_spec", "json_schema", "load_spec", "override"]
