"""One guess: what it says, what it rests on, and whether it could be otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guess:
    """A field of the spec, and why it is what it is.

    Args:
        field: path in the spec, such as data.columns.user_id.
        value: what was chosen, as text.
        why: what was seen.
        sure: whether nothing else would fit as well; otherwise the spec says so, and a person is
            warned.
    """

    field: str
    value: str
    why: str
    sure: bool = True
