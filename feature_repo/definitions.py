"""What `feast apply` registers: entities, feature views and the feature service of a spec.

The catalogue in the spec is the only definition; SHOPGUIDE_SPEC names another spec.
"""

import os
from pathlib import Path

from shopguide.features.store import feast_objects, offline_folder
from shopguide.spec import load_spec

_ROOT = Path(__file__).resolve().parent.parent
_SPEC = load_spec(os.environ.get("SHOPGUIDE_SPEC", _ROOT / "specs" / "complete_journey.yaml"))

_HOME = _ROOT / _SPEC.home
offline_folder(_HOME).mkdir(parents=True, exist_ok=True)  # Feast does not make it

_entities, _views, service = feast_objects(_SPEC, _HOME)

# `feast apply` looks for objects among the names of this module, not in lists
globals().update({f"entity_{entity.name}": entity for entity in _entities})
globals().update({f"view_{view.name}": view for view in _views})
