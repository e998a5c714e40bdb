"""The model bundle: what training writes, the gate judges and the service scores with.

Light on purpose: numpy, pyarrow, ONNX Runtime and pydantic, so that a service can carry it.

Example:
    >>> from shopguide.bundle import load_bundle
    >>> bundle = load_bundle("runs/complete_journey/model")  # doctest: +SKIP
    >>> bundle.score(bundle.predict(impressions))  # doctest: +SKIP
"""

from shopguide.bundle.bundle import Bundle, load_bundle
from shopguide.bundle.calibration import (
    Beta,
    Calibrators,
    Isotonic,
    Platt,
    Probability,
    Scale,
    Temperature,
)
from shopguide.bundle.manifest import InputEntry, Manifest, TaskEntry
from shopguide.bundle.preprocessing import CategoricalInput, ListInput, NumericInput, Preprocessing
from shopguide.bundle.profile import InputProfile, Profile
from shopguide.bundle.write import Contents, with_fusion, write_bundle

__all__ = [
    "Beta",
    "Bundle",
    "Calibrators",
    "CategoricalInput",
    "Contents",
    "InputEntry",
    "InputProfile",
    "Isotonic",
    "ListInput",
    "Manifest",
    "NumericInput",
    "Platt",
    "Preprocessing",
    "Probability",
    "Profile",
    "Scale",
    "TaskEntry",
    "Temperature",
    "load_bundle",
    "with_fusion",
    "write_bundle",
]
