"""Parts of a bundle that are JSON files: frozen, typed, refused when they hold unknown fields."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shopguide.errors import ShopguideError

_FIX = "Train the bundle again with this version of shopguide"


class Document(BaseModel):
    """A frozen JSON document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def write(self, path: Path) -> None:
        """Write the document as JSON."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path, *, fix: str = _FIX) -> Self:
        """Read a document.

        Args:
            path: of the file.
            fix: what to do when it is not this kind of document.

        Raises:
            ShopguideError: there is no such file, or it is not this kind of document.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ShopguideError(
                str(path), f"cannot be read: {error.strerror}", "Give the path of a whole bundle"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ShopguideError(
                f"{path} {place}".rstrip(),
                f"not a {cls.__name__.removesuffix('Document').lower()} of this version: "
                f"{first['msg'].lower()}",
                fix,
            ) from None


class Finite(Document):
    """A document whose numbers are finite, so that what is computed with them is."""

    model_config = ConfigDict(allow_inf_nan=False)
