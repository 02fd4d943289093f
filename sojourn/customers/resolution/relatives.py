"""What tells relatives from one person: they share a name, an address, a phone, even a birthday.

Written in DuckDB's SQL, for `{l}` and `{r}`. An initial, a second given name, an exchanged day and month are one person's; of a
birth date two digits may be wrong, or the year. What is only nearly the same (Marie and Maria), or not known, proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sojourn.language.resolution_model import Kind

_GIVEN_L, _GIVEN_R = "split_part(replace({l}, '-', ' '), ' ', 1)", "split_part(replace({r}, '-', ' '), ' ', 1)"
_SAME_NAME = f"""(
    {_GIVEN_L} = {_GIVEN_R}
    or left({{l}}, 1) = left({{r}}, 1) and least(length(replace({_GIVEN_L}, '.', '')), length(replace({_GIVEN_R}, '.', ''))) <= 1
)"""
_NEARLY = f"""(
    least(length({_GIVEN_L}), length({_GIVEN_R})) >= 5 and damerau_levenshtein({_GIVEN_L}, {_GIVEN_R}) <= 1
    or jaro_winkler_similarity({_GIVEN_L}, {_GIVEN_R}) >= 0.95
)"""
_DATE = """(
    damerau_levenshtein({l}, {r}) <= 2
    or substr({l}, 6) = substr({r}, 6)
    or left({l}, 4) = left({r}, 4) and substr({l}, 6, 2) = substr({r}, 9, 2) and substr({l}, 9, 2) = substr({r}, 6, 2)
    or left({l}, 4) = left({r}, 4) and (substr({l}, 6) in ('01-01', '') or substr({r}, 6) in ('01-01', ''))
)"""
_ONE_PERSONS: dict[Kind, str] = {"name": f"({_SAME_NAME} or {_NEARLY})", "date": _DATE}


def contradiction(kind: Kind, left: str, right: str) -> str:
    """Return the condition under which two known values of a kind are two people's."""
    one_persons = _ONE_PERSONS.get(kind, "{l} = {r}").format(l=left, r=right)
    return f"({left} is not null and {right} is not null and not {one_persons})"


def unproven(telling: Mapping[str, Kind], personal: Sequence[str]) -> str:
    """Return the condition under which two records, `l` and `r`, may as well be relatives'; neither contradicts the other.

    Args:
        telling: the columns that tell relatives apart, with their kinds.
        personal: the columns of which each value is one person's alone. Without any, nothing more can be asked for.
    """
    if not personal:
        return "false"
    dates = [column for column, kind in telling.items() if kind == "date"]
    names = [column for column, kind in telling.items() if kind == "name"]
    alike = [f"coalesce({_SAME_NAME.format(l=left, r=right)}, false)" for left, right in ((f"l.{name}", f"r.{name}") for name in names)]
    vouched = " or ".join(_equal(column) for column in personal)
    dated = " and ".join(f"(l.{column} is not null and r.{column} is not null)" for column in dates) or "true"
    same_day = " or ".join(_equal(column) for column in dates) or "false"
    return f"not ({vouched} or ({dated}) and ({' and '.join(alike) or 'true'} or {same_day}))"


def _equal(column: str) -> str:
    return f"coalesce(l.{column} = r.{column}, false)"
