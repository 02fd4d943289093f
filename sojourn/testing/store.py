"""A store whose every transaction runs where it is asked for: no thread between, and nothing to wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from sojourn.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class InlineDatabase(Database):
    """The real store, whose caller waits for each transaction: an entry in virtual time can be walked by hand over it."""

    def __init__(self, url: str) -> None:
        super().__init__(url, durable=False)

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one writing transaction, here and now."""
        return self.write_now(function, *args, **kwargs)

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one reading transaction, here and now."""
        return self.read_now(function, *args, **kwargs)
