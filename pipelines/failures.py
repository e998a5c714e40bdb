"""Why a run failed, for the person who started it."""

from pathlib import Path

from pipelines.progress import StepEvent
from shopguide.errors import ShopguideError


def explain(failure: RuntimeError, events: list[StepEvent], log: Path) -> ShopguideError:
    """Say in one message why a run failed: a step's own words, or where to read on.

    Args:
        failure: what kfp raised.
        events: what the steps recorded.
        log: file with everything that the steps printed.
    """
    failed = [event for event in events if event.event == "failed"]
    ended = {event.who for event in events if event.event != "start"}
    killed = [event.step for event in events if event.event == "start" and event.who not in ended]
    if failed and failed[0].exit_code in (1, 2):
        return StepFailedError(failed[0])
    if killed:
        what, fix = "the step was killed from outside", "Give it more memory, then --resume"
        return BrokenStepError(f"step {killed[0]}", what, f"{fix}; its log is {log}")
    step = failed[0].step if failed else "pipeline"
    what = failed[0].error if failed and failed[0].error else str(failure)
    return BrokenStepError(f"step {step}", f"failed: {what}", f"Read {log}")


class StepFailedError(ShopguideError):
    """A step's own message, as it stands."""

    def __init__(self, event: StepEvent) -> None:
        super().__init__(f"step {event.step}", str(event.error), "")
        self.args = (str(event.error),)
        self.exit_code = event.exit_code


class BrokenStepError(ShopguideError):
    """A step ended in a way that is not the input's fault."""

    exit_code = 3
