"""The networks: an encoder of the inputs, an architecture shared by the tasks, a head per task.

Example:
    >>> from shopguide.models import ARCHITECTURES
    >>> ARCHITECTURES["mmoe"].__name__, "ple" in ARCHITECTURES
    ('MMoE', True)
"""

from shopguide.models.architecture import Architecture
from shopguide.models.inputs import CodedInput, Inputs
from shopguide.models.layout import Layout
from shopguide.models.network import Network
from shopguide.models.registry import ARCHITECTURES

__all__ = ["ARCHITECTURES", "Architecture", "CodedInput", "Inputs", "Layout", "Network"]
