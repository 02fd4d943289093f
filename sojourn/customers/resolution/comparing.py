"""What counts as the same, nearly the same and different, for each kind of trait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sojourn.language.resolution_model import Kind

if TYPE_CHECKING:
    from splink.internals.comparison_creator import ComparisonCreator

SAME, DIFFERENT, UNKNOWN = "same", "different", "unknown"
_SLIP = ("one slip of a key", "damerau_levenshtein({l}, {r}) <= 1")
# The first level that holds is taken. `{l}` and `{r}` are the two values; below the last, they differ.
_LEVELS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "name": (
        _SLIP,
        ("very alike", "jaro_winkler_similarity({l}, {r}) >= 0.92"),
        ("alike", "jaro_winkler_similarity({l}, {r}) >= 0.85"),
        ("somewhat alike", "jaro_winkler_similarity({l}, {r}) >= 0.7"),
    ),
    "text": (("very alike", "jaro_winkler_similarity({l}, {r}) >= 0.9"),),
    "exact": (),
    "date": (
        _SLIP,
        ("same year", "left({l}, 4) = left({r}, 4)"),
        ("two slips of a key", "damerau_levenshtein({l}, {r}) <= 2"),
        ("within ten years", "abs(try_cast(left({l}, 4) as integer) - try_cast(left({r}, 4) as integer)) <= 10"),
    ),
    "postcode": (
        ("same but for its end", "left({l}, -2) = left({r}, -2)"),
        _SLIP,
        ("same district", "split_part({l}, ' ', 1) = split_part({r}, ' ', 1)"),
        ("same area", "left({l}, 2) = left({r}, 2)"),
    ),
    "email": (
        _SLIP,
        ("same name at another host", "split_part({l}, '@', 1) = split_part({r}, '@', 1)"),
        ("very alike", "jaro_winkler_similarity(split_part({l}, '@', 1), split_part({r}, '@', 1)) >= 0.9"),
    ),
    "phone": (("same last seven digits", "right({l}, 7) = right({r}, 7)"), _SLIP),
}


def level_names(kind: Kind) -> tuple[str, ...]:
    """Return what the levels of a kind are called, from different upwards: splink counts them so."""
    return (DIFFERENT, *(label for label, _ in reversed(_LEVELS[kind])), SAME)


def comparison(column: str, kind: Kind) -> ComparisonCreator:
    """Return splink's comparison of a column; agreement on a rare value weighs more than on a common one."""
    from splink import comparison_level_library as levels
    from splink import comparison_library as comparisons

    between = [
        levels.CustomLevel(condition.format(l=f"{column}_l", r=f"{column}_r"), label_for_charts=label) for label, condition in _LEVELS[kind]
    ]
    same = levels.ExactMatchLevel(column, term_frequency_adjustments=True)
    return comparisons.CustomComparison(
        output_column_name=column, comparison_levels=[levels.NullLevel(column), same, *between, levels.ElseLevel()]
    )
