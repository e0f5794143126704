"""Values with named fields as plain data and back, strictly: what guards send to each other, and what they keep on disk.

The annotations of the fields say what is allowed, so that a new field needs nothing here.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

_LARGEST: Final = 2**63
_LONGEST: Final = 4096  # of a text, and of a list
T = TypeVar("T")


class Malformed(ValueError):
    """What stands at a ``place`` is not what is ``allowed`` there."""

    def __init__(self, place: str, found: str, allowed: str) -> None:
        super().__init__(place, found, allowed)
        self.place, self.found, self.allowed = place, found, allowed

    def __str__(self) -> str:
        return f"{self.place or 'the whole'}: {self.found}; allowed: {self.allowed}"


def read_json(text: str | bytes) -> object:
    """What JSON says; raises ``Malformed``, also for keys that stand twice, and for what only Python's reader takes."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("", f"no JSON ({error})", "JSON") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("", "a key that stands twice", "each key once")
    return found


def _no_constant(text: str) -> object:
    raise Malformed("", text, "numbers")


def to_plain(value: object) -> Any:
    """A value as what JSON has: named fields become a mapping, sets and tuples a list."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: to_plain(each) for name, each in value._asdict().items()}
    if isinstance(value, Mapping):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return [to_plain(each) for each in sorted(value)]
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return value


def from_plain(kind: type[T], data: object, place: str = "") -> T:
    """The value of that kind; raises ``Malformed``. What is not there has its default; a key that is no field is wrong."""
    found: T = _read(kind, data, place)
    return found


def _read(kind: Any, data: object, place: str) -> Any:
    origin = get_origin(kind)
    if origin is UnionType:
        return _optional(kind, data, place)
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](get_args(kind), data, place)
    if kind in _SCALARS:
        return _SCALARS[kind](data, place)
    return _fields(kind, data, place)


def _optional(kind: Any, data: object, place: str) -> Any:
    """``X | None``, and nothing else."""
    (one,) = [each for each in get_args(kind) if each is not NoneType]
    return None if data is None else _read(one, data, place)


def _flag(data: object, place: str) -> bool:
    if not isinstance(data, bool):
        raise Malformed(place, _shown(data), "true or false")
    return data


def _whole(data: object, place: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or not -_LARGEST < data < _LARGEST:
        raise Malformed(place, _shown(data), "a whole number of at most 63 bits")
    return data


def _number(data: object, place: str) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data) or abs(data) >= _LARGEST:
        raise Malformed(place, _shown(data), "a number")
    return float(data)


def _text(data: object, place: str) -> str:
    if not isinstance(data, str) or len(data) > _LONGEST or not data.isprintable():
        raise Malformed(place, _shown(data), f"printable text of at most {_LONGEST} characters")
    return data


def _elements(kind: Any, data: object, place: str) -> Iterator[Any]:
    if not isinstance(data, list) or len(data) > _LONGEST:
        raise Malformed(place, _shown(data), f"a list of at most {_LONGEST}")
    for position, each in enumerate(data):
        yield _read(kind, each, f"{place}[{position}]")


def _set(kinds: tuple[Any, ...], data: object, place: str) -> frozenset[Any]:
    return frozenset(_elements(kinds[0], data, place))


def _tuple(kinds: tuple[Any, ...], data: object, place: str) -> tuple[Any, ...]:
    if kinds[1:] == (Ellipsis,):
        return tuple(_elements(kinds[0], data, place))
    if not isinstance(data, list) or len(data) != len(kinds):
        raise Malformed(place, _shown(data), f"a list of {len(kinds)}")
    return tuple(
        _read(kind, each, f"{place}[{position}]") for position, (kind, each) in enumerate(zip(kinds, data, strict=True))
    )


def _mapping(kinds: tuple[Any, ...], data: object, place: str) -> dict[str, Any]:
    if not isinstance(data, dict) or len(data) > _LONGEST:
        raise Malformed(place, _shown(data), f"a mapping of at most {_LONGEST}")
    return {_text(key, place): _read(kinds[1], each, _below(place, key)) for key, each in data.items()}


def _fields(kind: Any, data: object, place: str) -> Any:
    hints = get_type_hints(kind)
    if not isinstance(data, dict):
        raise Malformed(place, _shown(data), f"a mapping with {', '.join(hints)}")
    for key in data.keys() - hints.keys():
        raise Malformed(_below(place, str(key)[:60]), "an unknown key", ", ".join(hints))
    for name in _required(kind) - data.keys():
        raise Malformed(_below(place, name), "nothing", "a value: it has no default")
    return kind(**{name: _read(hints[name], each, _below(place, name)) for name, each in data.items()})


def _required(kind: Any) -> set[str]:
    if is_dataclass(kind):
        return {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    return {name for name in kind._fields if name not in kind._field_defaults}


def _below(place: str, name: str) -> str:
    return f"{place}:{name}" if place else name


def _shown(data: object) -> str:
    return "nothing" if data is None else f"{str(data)[:60]!r}"


_SCALARS: Final[dict[Any, Callable[[object, str], Any]]] = {bool: _flag, int: _whole, float: _number, str: _text}
_CONTAINERS: Final[dict[Any, Callable[[tuple[Any, ...], object, str], Any]]] = {
    frozenset: _set,
    tuple: _tuple,
    Mapping: _mapping,
}
