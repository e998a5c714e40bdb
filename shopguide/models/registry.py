"""The architectures by name: a new one is a file and a line here."""

from shopguide.models.architecture import Architecture
from shopguide.models.mmoe import MMoE
from shopguide.models.shared_bottom import SharedBottom
from shopguide.models.single_task import SingleTask

ARCHITECTURES: dict[str, type[Architecture]] = {
    "single_task": SingleTask,
    "shared_bottom": SharedBottom,
    "mmoe": MMoE,
}
