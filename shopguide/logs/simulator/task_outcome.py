"""Which of the simulator's outcomes a task predicts."""

from shopguide.errors import ShopguideError
from shopguide.logs.simulator.funnel import OUTCOMES, Outcome
from shopguide.spec.tasks import BinaryTask, CategoryTask, Task


def outcome_of(task: Task, where: str) -> Outcome:
    """Return the outcome that a task predicts: its event, or money for an amount.

    Args:
        task: of a spec.
        where: its path in the spec, for the message.

    Raises:
        ShopguideError: the simulator has no such outcome.
    """
    if isinstance(task, CategoryTask):
        raise ShopguideError(
            f"spec {where}",
            "is a category; the simulator knows the truth of binary and amount tasks",
            "Leave the task out",
        )
    if isinstance(task, BinaryTask):
        for outcome in OUTCOMES[:3]:
            if task.event == outcome:
                return outcome
        known = "click, cart and purchase"
    else:
        if task.event == "purchase":
            return "money"
        known = "purchase with a value"
    raise ShopguideError(
        f"spec {where}.event",
        f"is {task.event!r}; the simulator has events of {known}",
        "Name one of these",
    )
