"""Where a problem of a spec is: in the file, or in what was typed over it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Names fields of one spec for messages.

    Args:
        file: what messages call the spec.
        overrides: `a.b.c=value`, as typed after `--set`.
    """

    file: str
    overrides: Sequence[str]

    def of(self, field: str) -> str:
        """Return where a field is; a field that an override sets, or lies in, is the override's.

        Args:
            field: dotted path; empty: the whole spec.
        """
        inside: list[str] = []
        for assignment in reversed(self.overrides):  # the last one holds
            typed = assignment.partition("=")[0]
            if field == typed:
                return f"--set {assignment}"
            if field.startswith(f"{typed}."):
                return f"--set {assignment} ({field})"
            if field and typed.startswith(f"{field}."):
                inside.append(f"--set {assignment}")
        here = f"{self.file} {field}".rstrip()
        return f"{here} with {' '.join(inside)}" if inside else here
