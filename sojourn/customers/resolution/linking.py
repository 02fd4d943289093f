"""Scores pairs of records with splink: what strangers' agreements look like is counted, what one person's do is learned.

The model is Fellegi and Sunter's ("A theory for record linkage", 1969): u, how often strangers agree,
from random pairs; m, how often one person's records do, by expectation maximisation. No label is used.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sojourn.customers.resolution.comparing import UNKNOWN, comparison, level_names
from sojourn.customers.resolution.frame import RECORDS, Frame
from sojourn.customers.resolution.pairs import Agreement, NotComparable, Pair, Tell, ordered

if TYPE_CHECKING:
    from splink import Linker

TRAINING, SCORING = "training", "scoring"
MOST_PROBABLE_PRIOR = 0.5
ITERATIONS = (25, 8, 3)  # of expectation maximisation, at most; fewer where more make a parameter vanish
LEAST_M = 1e-4  # one in ten thousand
MAX_WEIGHT = 1000.0
_BARELY_LESS = 1 - 1e-9  # splink compares weights, and may round one at the threshold away; the exact cut is ours


@dataclass(frozen=True)
class Learned:
    """What the training came to."""

    prior: float  # of two random records being one person's
    notes: tuple[str, ...]  # what could not be learned


class Linking:
    """A model over the records of a frame.

    Args:
        frame: prepared.
    """

    def __init__(self, frame: Frame) -> None:
        from splink import DuckDBAPI

        self._frame = frame
        self._settings = settings = frame.settings
        total = frame.count * (frame.count - 1) / 2
        self.prior = min(MOST_PROBABLE_PRIOR, max(1, frame.certain_matches()) / settings.recall / total)
        self._api = DuckDBAPI(frame.duck)
        self._records = self._api.register(RECORDS)
        self._linker: Linker = self._untrained(ITERATIONS[0])

    def _untrained(self, iterations: int) -> Linker:
        from splink import Linker, SettingsCreator, block_on

        columns, settings = self._frame.columns, self._settings
        written = SettingsCreator(
            link_type="dedupe_only",
            unique_id_column_name="id",
            probability_two_random_records_match=self.prior,
            comparisons=[comparison(columns[each.trait], each.as_) for each in settings.compare],
            blocking_rules_to_generate_predictions=[block_on(*self._frame.rule(line)) for line in settings.block],
            max_iterations=iterations,
            retain_matching_columns=True,  # else it drops how each field agrees; they stay in the frame's memory
            retain_intermediate_calculation_columns=True,
            linker_uid="sojourn",  # else random, and with it the names of tables
        )
        with _quiet():
            return Linker(self._records, written, log_level=None)

    def learn(self, tell: Tell) -> Learned:
        """Estimate the model's parameters.

        Raises:
            NotComparable: they cannot be.
        """
        steps = 1 + len(self._settings.learn)
        for iterations in ITERATIONS:
            tell(TRAINING, 0, steps)
            self._linker = self._untrained(iterations)
            try:
                with _quiet():
                    notes = self._train(tell, steps)
                    model: dict[str, Any] = self._linker.misc.save_model_to_json()
            except ValueError:  # a level that one person's records never show: its m shrinks with each turn, until splink refuses it
                continue
            self._linker = self._trained(model)
            tell(TRAINING, steps, steps)
            return Learned(self.prior, (*notes, *self._doubts(model)))
        raise NotComparable("nothing can be learned from these records; compare fewer traits, or write other lines under learn")

    def _trained(self, model: dict[str, Any]) -> Linker:
        """Return the model as learned, but for what few records cannot prove: that one person's never agree so."""
        from splink import Linker

        for level in (level for each in model["comparisons"] for level in each["comparison_levels"]):
            if isinstance(level.get("m_probability"), float):
                level["m_probability"] = max(level["m_probability"], LEAST_M)
        with _quiet():
            return Linker(self._records, model, log_level=None)

    def _train(self, tell: Tell, steps: int) -> list[str]:
        from splink import block_on

        training, notes = self._linker.training, []
        training.estimate_u_using_random_sampling(max_pairs=self._settings.sample_pairs, seed=self._settings.seed)
        for number, line in enumerate(self._settings.learn, 1):
            tell(TRAINING, number, steps)
            if self._frame.pairs[line]:  # splink would raise in the middle, and forget a comparison
                training.estimate_parameters_using_expectation_maximisation(block_on(*self._frame.rule(line)))
            else:
                notes.append(f"no two records share {', '.join(line)}: nothing was learned from that line")
        return notes

    def _doubts(self, model: dict[str, Any]) -> Iterator[str]:
        for each, learned in zip(self._settings.compare, model["comparisons"], strict=True):
            same = next(level for level in learned["comparison_levels"] if not level.get("is_null_level"))
            m, u = same.get("m_probability"), same.get("u_probability")
            if m is None or u is None:
                yield f"how often {each.trait} agrees could not be learned; a usual value stands in"
            elif m <= u:
                yield f"that {each.trait} is the same tells nothing here; consider to leave it out"

    def pairs(self, minimum: float, tell: Tell) -> list[Pair]:
        """Return the pairs of all blocking rules whose probability is at or above a minimum, the surest first."""
        tell(SCORING, 0, 1)
        with _quiet():
            scored = self._linker.inference.predict(threshold_match_probability=minimum * _BARELY_LESS, warning_mode="never")
        found = self._read(scored.physical_name, minimum)
        tell(SCORING, 1, 1)
        return found

    def within(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """Return the probability of each of these pairs, blocked together or not."""
        if not wanted:
            return {}
        duck = self._frame.duck
        duck.execute("create or replace table wanted (join_key_l varchar, join_key_r varchar, match_key varchar)")
        sides = [[one for one, _ in wanted], [other for _, other in wanted]]
        duck.execute("insert into wanted select unnest(?::varchar[]), unnest(?::varchar[]), '0'", sides)
        with _quiet():
            self._linker.table_management.register_blocked_pairs_for_predict(self._api.register("wanted"))
            scored = self._linker.inference.predict(warning_mode="never")
        rows = self._frame.rows(f"select id_l, id_r, match_probability from {scored.physical_name}")  # noqa: S608 - splink's own name
        return {ordered(one, other): probability for one, other, probability in rows}

    def _read(self, table: str, minimum: float) -> list[Pair]:
        compared = [(each.trait, self._frame.columns[each.trait], level_names(each.as_)) for each in self._settings.compare]
        columns = "".join(f", gamma_{column}, mw_{column} + coalesce(mw_tf_adj_{column}, 0)" for _, column, _ in compared)
        rows = self._frame.rows(
            f"select id_l, id_r, match_probability, match_weight{columns} from {table} where match_probability >= ?",  # noqa: S608 - own names
            [minimum],
        )
        return sorted((_pair(row, compared) for row in rows), key=lambda pair: pair.order)


def _pair(row: tuple[Any, ...], compared: Sequence[tuple[str, str, tuple[str, ...]]]) -> Pair:
    because = []
    for number, (trait, _, levels) in enumerate(compared):
        gamma, weight = row[4 + 2 * number], row[5 + 2 * number]
        because.append(Agreement(trait, UNKNOWN if gamma < 0 else levels[gamma], _finite(weight)))
    left, right = ordered(row[0], row[1])
    return Pair(left, right, float(row[2]), _finite(row[3]), tuple(because))


def _finite(weight: float | None) -> float:
    if weight is None or math.isnan(weight):
        return 0.0
    return max(-MAX_WEIGHT, min(MAX_WEIGHT, float(weight)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep splink's talk off the terminal and out of the logs: it speaks in SQL and in columns' names."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
