"""Every figure of the page says where decision.json holds it, so the two can be compared."""

from collections.abc import Callable

from markupsafe import Markup

from shopguide.gate.decision import Decision
from shopguide.gate.wording import count, guard_text, moment, number, p_value, percent

_WRITERS: dict[str, Callable[[float], str]] = {
    "percent": percent,
    "number": number,
    "count": count,
    "guard": guard_text,
    "p_value": p_value,
}


class Figures:
    """Looks figures up in the content of decision.json."""

    def __init__(self, decision: Decision) -> None:
        self._content = decision.to_json()

    def __call__(self, path: str, kind: str = "percent") -> Markup:
        """Return a figure as an element that carries its path and its exact value.

        Args:
            path: keys and indices in decision.json, with dots between.
            kind: how a reader sees it: percent, number, count, p_value, guard or time.
        """
        value = self.value(path)
        if value is None:
            return Markup('<span class="none">–</span>')
        assert isinstance(value, int | float | str), path
        if isinstance(value, str):
            shown = moment(value) if kind == "time" else value
        else:
            shown = _WRITERS[kind](value)
        element = Markup('<data value="{}" data-path="{}">{}</data>')
        return element.format(value if isinstance(value, str) else repr(value), path, shown)

    def value(self, path: str) -> object:
        """Return what decision.json holds at a path."""
        found: object = self._content
        for key in path.split("."):
            if isinstance(found, list):
                found = found[int(key)]
            else:
                assert isinstance(found, dict), path
                found = found[key]
        return found
