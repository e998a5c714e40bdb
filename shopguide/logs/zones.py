"""Time zones that a spec names."""

from zoneinfo import ZoneInfo

from shopguide.errors import ShopguideError


def zone(name: str, where: str) -> ZoneInfo:
    """Return the zone of an IANA name.

    Args:
        name: such as Europe/Berlin.
        where: path of the field in the spec, for the error.

    Raises:
        ShopguideError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ShopguideError(
            where, f"no zone {name!r}", "Give an IANA name such as Europe/Berlin"
        ) from None
