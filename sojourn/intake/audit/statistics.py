"""Says how far two samples lie apart: shares by the population stability index, numbers by Kolmogorov and Smirnov."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, sqrt

PSI_SHIFTED = 0.25  # the customary limit above which a population counts as another (Siddiqi 2006); 0.1 to 0.25 is moderate
KS_CHANCE = 1.95  # c(alpha) of the two-sample test at alpha = 0.001


def psi(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return the population stability index of two counts of categories: sum of (a - b) ln(a / b) over their shares.

    Half a case is added to each category, so that a new one does not make it infinite.
    """
    keys = before.keys() | after.keys()
    n, m = sum(before.values()) + len(keys) / 2, sum(after.values()) + len(keys) / 2
    total = 0.0
    for key in sorted(keys):
        b, a = (before.get(key, 0) + 0.5) / n, (after.get(key, 0) + 0.5) / m
        total += (a - b) * log(a / b)
    return total


def psi_by_chance(categories: int, before: int, after: int) -> float:
    """Return the index that samples of these sizes from one population rarely exceed.

    Under no change it is distributed as (1/n + 1/m) times chi-square with k - 1 degrees of freedom (Yurdakul and
    Naranjo 2020); mean plus four standard deviations of that.
    """
    freedom = max(1, categories - 1)
    return (1 / before + 1 / after) * (freedom + 4 * sqrt(2 * freedom))


def ks(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples: the widest gap between their distribution functions."""
    left, right = sorted(before), sorted(after)
    i = j = 0
    widest = 0.0
    while i < len(left) and j < len(right):
        at = min(left[i], right[j])
        while i < len(left) and left[i] <= at:
            i += 1
        while j < len(right) and right[j] <= at:
            j += 1
        widest = max(widest, abs(i / len(left) - j / len(right)))
    return widest


def ks_by_chance(before: int, after: int) -> float:
    """Return the distance that samples of these sizes from one population exceed one time in a thousand."""
    return KS_CHANCE * sqrt((before + after) / (before * after))


def shares_differ(before: int, of_before: int, after: int, of_after: int) -> float:
    """Return by how many standard errors two shares lie apart."""
    pooled = (before + after) / (of_before + of_after)
    spread = sqrt(pooled * (1 - pooled) * (1 / of_before + 1 / of_after))
    return abs(before / of_before - after / of_after) / spread if spread else 0.0
