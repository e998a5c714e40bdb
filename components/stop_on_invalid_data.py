"""Component: fail the run because the data is invalid; the champion stays as it is."""

from kfp.dsl import HTML, Input

from components._image import component


@component
def stop_on_invalid_data(report: Input[HTML]) -> None:
    """Fail the run because the data is invalid; the champion stays as it is.

    Args:
        report: Page of validate-data that says what failed.

    Raises:
        InvalidDataError: always.
    """
    from shopguide.errors import InvalidDataError
    from shopguide.step import step

    with step("stop_on_invalid_data"):
        raise InvalidDataError(report.uri, "the data is invalid", "Read the report, mend the data")
