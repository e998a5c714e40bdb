"""Packaging: a Bento of the bundle, started and compared with it before it may serve.

Example:
    >>> from shopguide.packaging import package_bento
    >>> from shopguide.spec import load_spec
    >>> spec = load_spec("specs/complete_journey.yaml")
    >>> package_bento(spec, "runs/model", "runs/training_set", "runs/bento")  # doctest: +SKIP
"""

from shopguide.packaging.build import Bento, build_bento
from shopguide.packaging.package import Blessing, package_bento
from shopguide.packaging.serve import refuse_busy_port, refuse_open, serve

__all__ = [
    "Bento",
    "Blessing",
    "build_bento",
    "package_bento",
    "refuse_busy_port",
    "refuse_open",
    "serve",
]
