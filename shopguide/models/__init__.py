"""The networks: an encoder of the inputs, an architecture shared by the tasks, a head per task.

Example:
    >>> from shopguide.models import ARCHITECTURES
    >>> sorted(ARCHITECTURES)
    ['mmoe', 'shared_bottom', 'single_task']
"""

from shopguide.models.architecture import Architecture
from shopguide.models.mmoe import MMoE
from shopguide.models.network import Network
from shopguide.models.registry import ARCHITECTURES
from shopguide.models.shared_bottom import SharedBottom
from shopguide.models.single_task import SingleTask

__all__ = ["ARCHITECTURES", "Architecture", "MMoE", "Network", "SharedBottom", "SingleTask"]
