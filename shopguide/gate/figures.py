"""Every figure of a page says where the JSON beside it holds it, so the two can be compared."""

from collections.abc import Callable, Mapping

from markupsafe import Markup

from shopguide.gate.wording import count, days, guard_text, moment, number, p_value, percent, share

_WRITERS: dict[str, Callable[[float], str]] = {
    "percent": percent,
    "number": number,
    "count": count,
    "guard": guard_text,
    "p_value": p_value,
    "share": share,
    "days": days,
}


class Figures:
    """Looks figures up in the content of a JSON file, such as decision.json."""

    def __init__(self, content: Mapping[str, object]) -> None:
        self._content = content

    def __call__(self, path: str, kind: str = "percent") -> Markup:
        """Return a figure as an element that carries its path and its exact value.

        Args:
            path: keys and indices in the file, with dots between.
            kind: how a reader sees it: percent, number, count, days, share, p_value, guard or time.
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
        """Return what the file holds at a path."""
        found: object = self._content
        for key in path.split("."):
            if isinstance(found, list | tuple):
                found = found[int(key)]
            else:
                assert isinstance(found, Mapping), path
                found = found[key]
        return found
