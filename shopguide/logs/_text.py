"""Bring a text file to UTF-8, which DuckDB reads: in pieces, into a temporary file."""

import codecs
from pathlib import Path

from shopguide.errors import ShopguideError
from shopguide.logs._whole import open_bytes

_CHUNK = 1 << 22


def as_utf8(file: Path, encoding: str, folder: Path) -> Path:
    """Return the file itself if it is in UTF-8, else a copy that is.

    Args:
        file: text, perhaps packed.
        encoding: its encoding.
        folder: where the copy goes; it must not be needed after the folder is gone.

    Raises:
        ShopguideError: the file is not in that encoding; names the byte.
    """
    if encoding == "utf-8":
        return file
    copy = folder / f"{len(list(folder.iterdir()))}-{file.name.removesuffix(file.suffix)}.txt"
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with open_bytes(file) as source, copy.open("w", encoding="utf-8", newline="") as target:
        while True:
            chunk = source.read(_CHUNK)
            try:
                target.write(decoder.decode(chunk, final=not chunk))
            except UnicodeDecodeError as error:
                raise ShopguideError(
                    f"{file}, byte {done + error.start + 1:,} of the text",
                    f"not {encoding}: {error.reason}",
                    "Set data.encoding to what the file is written in",
                ) from None
            done += len(chunk)
            if not chunk:
                return copy
