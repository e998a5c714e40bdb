"""The result of a validation as one self-contained page."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from shopguide.files import write_text
from shopguide.spec import Spec
from shopguide.validation.result import ValidationResult


def write_page(result: ValidationResult, spec: Spec, path: str | Path) -> None:
    """Write the page: verdict, failures first, then everything that was checked.

    Args:
        result: what was found.
        spec: its title, notes and limits are shown.
        path: file to write.
    """
    environment = Environment(
        loader=PackageLoader("shopguide.validation"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("data.html.j2")
    write_text(path, template.render(result=result, spec=spec))
