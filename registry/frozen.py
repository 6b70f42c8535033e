"""A mapping that cannot be changed."""

from typing import Any, NoReturn, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class FrozenDict(dict[_K, _V]):
    """A dict without the methods that change one.

    Unlike a `types.MappingProxyType` it can be pickled and copied, and `dataclasses.asdict`, JSON
    and pandas take it for what it is.
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A record of the registry cannot be changed.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        # By default the copy would be filled item by item.
        return type(self), (dict(self),)
