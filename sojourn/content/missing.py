"""A fact that is not there."""

from __future__ import annotations

from typing import Any, NoReturn

from jinja2 import StrictUndefined

from sojourn.errors import RenderError


class Missing(StrictUndefined):
    """A token that no fact fills.

    As in the conditions of a journey, a comparison with it does not hold and it is not true; to show it,
    loop over it or calculate with it is an error that names it.
    """

    __slots__ = ()

    @property
    def path(self) -> str:
        """The token, such as `profile.first_name`."""
        return str(self._undefined_name)

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RenderError(f'{self.path} is missing; give it a fallback, such as {self.path} | default("…"), or list it under `needs`')

    def _no(self, other: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _no  # type: ignore[assignment]
    __str__ = __iter__ = __len__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail_with_undefined_error
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _fail_with_undefined_error
    __neg__ = __pos__ = __call__ = __getitem__ = __int__ = __float__ = _fail_with_undefined_error

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.path)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._fail_with_undefined_error()
