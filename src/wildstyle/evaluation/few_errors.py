"""When too few errors were counted to say much, and how far groups lie apart where enough were.

* Rule of 3: no error in N independent trials leaves a rate of up to about 3 / N (95 %).
* Rule of 30: a rate is right within 30 % (90 % confidence) only from 30 counted errors on (Doddington et al. 2000).

Both take trials for independent. Comparisons share people, so both are kind; intervals over people are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wildstyle.evaluation.power import RULE_OF_30

Counted = tuple[int, int]
"""Errors, and trials."""

RULE = (
    "no error in N trials: at most about 3 / N (rule of 3); fewer than 30 errors are marked (rule of 30); "
    "both for independent trials"
)
TOO_FEW = "too few errors to judge a group by (fewer than 30 expected)"


def few_overall(errors: int, trials: int, what: str) -> str | None:
    """A remark on few errors, or None.

    >>> few_overall(0, 3000, "false match"), few_overall(12, 3000, "miss"), few_overall(30, 3000, "miss")
    ('no false match in 3,000: at most about 0.1 % (rule of 3)', 'rests on 12 misses (fewer than 30)', None)
    """
    if not trials:
        return None
    if errors == 0:
        return f"no {what} in {trials:,}: at most about {100 * min(1.0, 3 / trials):.2g} % (rule of 3)"
    if errors >= RULE_OF_30:
        return None
    return f"rests on {errors} {what}{'' if errors == 1 else 'es'} (fewer than 30)"


def few_in_group(counted: Counted, overall: Counted, what: str) -> str | None:
    """A remark where fewer than 30 errors are expected of a group at the overall rate, or none was counted."""
    if not _enough(counted[1], overall):
        return TOO_FEW
    return few_overall(*counted, what) if counted[0] == 0 else None


def worst_and_best(errors: Mapping[str, Counted]) -> str | None:
    """How far the groups of each column lie apart: worst against best of those with enough expected errors.

    Args:
        errors: errors and trials by group: ``all``, ``<column>=<value>``, and others such as bands, which stay out.

    >>> worst_and_best({"all": (300, 2000), "camera=yard": (200, 1000), "camera=door": (100, 1000)})
    'by camera: worst yard 20 %, best door 10 %, 2 times'
    """
    rates: dict[str, list[tuple[float, str]]] = {}
    for group, (count, trials) in errors.items():
        column, equals, value = group.partition("=")
        if equals and column[-1:].isalnum() and _enough(trials, errors["all"]):
            rates.setdefault(column, []).append((count / trials, value))
    told = [_apart(column, sorted(found)) for column, found in sorted(rates.items()) if len(found) > 1]
    return "; ".join(told) or None


def _apart(column: str, rates: Sequence[tuple[float, str]]) -> str:
    (low, best), (high, worst) = rates[0], rates[-1]
    ratio = f", {high / low:.3g} times" if low > 0 else ""
    return f"by {column}: worst {worst} {100 * high:.3g} %, best {best} {100 * low:.3g} %{ratio}"


def _enough(trials: int, overall: Counted) -> bool:
    errors, total = overall
    return total > 0 and trials * errors >= RULE_OF_30 * total
