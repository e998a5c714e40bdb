"""The architectures by name; `shopguide.spec.parts` is the list that a new one joins."""

from shopguide.models.architecture import Architecture
from shopguide.models.resolve import Registered
from shopguide.spec import parts

ARCHITECTURES = Registered(parts.ARCHITECTURES, Architecture)  # type: ignore[type-abstract]
