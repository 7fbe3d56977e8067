"""Risk and venue profiles as people write them: a loaded YAML or JSON document in, a checked profile out."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

import msgspec

from njord.domain.profile import RiskProfile, VenueAccess, VenueProfile
from njord.domain.spelling import suggestion

Struct = TypeVar("Struct", bound=msgspec.Struct)
_VENUE_NAME = re.compile(r"[A-Z0-9_]+")


class BadProfile(ValueError):
    """A profile cannot be read. The message is one line: ``source: field: what is wrong``."""


def profile_from(document: Any, source: str) -> RiskProfile | VenueProfile:
    """Return the profile in a document: a venue profile where it has ``venues``, else a risk profile.

    Raises BadProfile naming the field.
    """
    if isinstance(document, Mapping) and "venues" in document:
        return venue_profile_from(document, source)
    return risk_profile_from(document, source)


def risk_profile_from(document: Any, source: str) -> RiskProfile:
    """Return the risk profile in a document. Raises BadProfile naming the field."""
    return _converted(document, RiskProfile, source)


def venue_profile_from(document: Any, source: str) -> VenueProfile:
    """Return the venue profile in a document. Raises BadProfile naming the field, or a venue that cannot be one."""
    profile = _converted(document, VenueProfile, source)
    for name in itertools.chain(profile.venues, *profile.groups.values()):
        if not _VENUE_NAME.fullmatch(name):
            raise BadProfile(f"{source}: venues: a venue is upper case letters, digits and _, was {name!r}")
    for group, names in profile.groups.items():
        for name in names:
            if name not in profile.venues and profile.default is not VenueAccess.ALLOW:
                # A slip of the pen here would be a cap that holds for nothing
                raise BadProfile(f"{source}: groups.{group}: no venue {name!r}{suggestion(name, profile.venues)}")
    return profile


def _converted(document: Any, struct: type[Struct], source: str) -> Struct:
    if not isinstance(document, Mapping):
        raise BadProfile(f"{source}: must be a mapping of fields, was {type(document).__name__}")
    for wrong in _unknown(document, struct, ""):
        raise BadProfile(f"{source}: {wrong}")
    try:
        return msgspec.convert(document, struct, strict=True)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".")
        raise BadProfile(f"{source}: {path}: {what[0].lower()}{what[1:]}" if path else f"{source}: {what}") from None


def _unknown(document: Mapping[str, Any], struct: type[msgspec.Struct], path: str) -> Iterator[str]:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in document.items():
        if key not in fields:
            yield f"{path}{key}: no such field{suggestion(str(key), fields)}"
            continue
        nested = _struct_in(fields[key])
        if nested is None:
            continue
        if isinstance(value, Mapping):
            yield from _unknown(value, nested, f"{path}{key}.")
        elif isinstance(value, list):
            for position, part in enumerate(value):
                if isinstance(part, Mapping):
                    yield from _unknown(part, nested, f"{path}{key}[{position}].")


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := _struct_in(part)) is not None), None)
