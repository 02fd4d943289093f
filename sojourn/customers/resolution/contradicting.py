"""When two known values are two people's, whatever else agrees: relatives share a name, an address, a phone, even a birthday.

Written in DuckDB's SQL, for `{l}` and `{r}`. A slip of the key, an initial, a second given name or an exchanged day and month
are one person's; of a birth date two digits may be wrong, or the year.
"""

from __future__ import annotations

from sojourn.language.resolution_model import Kind

_GIVEN_L, _GIVEN_R = "split_part(replace({l}, '-', ' '), ' ', 1)", "split_part(replace({r}, '-', ' '), ' ', 1)"
_NAME = f"""(
    {_GIVEN_L} = {_GIVEN_R}
    or left({{l}}, 1) = left({{r}}, 1) and least(length(replace({_GIVEN_L}, '.', '')), length(replace({_GIVEN_R}, '.', ''))) <= 1
    or least(length({_GIVEN_L}), length({_GIVEN_R})) >= 5 and damerau_levenshtein({_GIVEN_L}, {_GIVEN_R}) <= 1
    or jaro_winkler_similarity({_GIVEN_L}, {_GIVEN_R}) >= 0.95
)"""
_DATE = """(
    damerau_levenshtein({l}, {r}) <= 2
    or substr({l}, 6) = substr({r}, 6)
    or left({l}, 4) = left({r}, 4) and substr({l}, 6, 2) = substr({r}, 9, 2) and substr({l}, 9, 2) = substr({r}, 6, 2)
    or left({l}, 4) = left({r}, 4) and (substr({l}, 6) in ('01-01', '') or substr({r}, 6) in ('01-01', ''))
)"""
_ONE_PERSONS: dict[Kind, str] = {"name": _NAME, "date": _DATE}


def contradiction(kind: Kind, left: str, right: str) -> str:
    """Return the condition under which two known values of a kind are two people's."""
    one_persons = _ONE_PERSONS.get(kind, "{l} = {r}").format(l=left, r=right)
    return f"({left} is not null and {right} is not null and not {one_persons})"
