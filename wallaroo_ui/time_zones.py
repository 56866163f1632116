"""The time zones that this server knows, by their names in the tz database."""

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return all names, without what means another place on each machine."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


@lru_cache(maxsize=1)
def offered_zones() -> Sequence[str]:
    """Return the names that are offered to choose from: places, and UTC."""
    return sorted(
        name
        for name in zone_names()
        if name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/", "US/")))
    )


def validate_time_zone(name: str) -> None:
    """Refuse what is not the name of a time zone.

    Raises:
        ValidationError: it is not.
    """
    if name not in zone_names():
        raise ValidationError(f"There is no time zone “{name}”; an example is Europe/Berlin.")
