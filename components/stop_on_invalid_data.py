"""Component: fail the run because the data is invalid; the champion stays as it is."""

from components._image import component


@component
def stop_on_invalid_data(failed: str) -> None:
    """Fail the run because the data is invalid; the champion stays as it is.

    Needs: 100 MiB.

    Again: fails again.

    Fails: always: that is what it is for.

    Args:
        failed: What failed, in words, from validate-data.

    Raises:
        InvalidDataError: always.
    """
    from shopguide.errors import InvalidDataError
    from shopguide.step import step

    with step("stop_on_invalid_data"):
        raise InvalidDataError(
            "the data is invalid", failed, "Mend the data; data.html has every check"
        )
