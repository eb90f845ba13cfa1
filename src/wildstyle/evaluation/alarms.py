"""False alarms and missed people a day, at the size and traffic of the user's own site.

A threshold was tried on a gallery of n people; the site has N. A stranger is compared with everybody, so if
comparisons were independent

    FPIR(N) = 1 - (1 - FMR)^N                    from the false match rate of one comparison, near N * FMR
    FPIR(N) = 1 - (1 - FPIR(n))^(N / n)          from an FPIR that was measured on n people

and, in a day with F faces of which the share w shows people on the watch list (ISO/IEC 19795-1; the two-number
form of NISTIR 8009),

    false alarms = F (1 - w) FPIR(N)             missed = F w (1 - TPIR)  or  F w (1 - TAR)

Both are expectations for faces that are judged one by one; a person who passes in front of a camera for ten
frames counts ten times. Comparisons are not independent (a stranger who resembles one resembles his like), so the
first formula tends to say too much and the second, where N is far from n, is a rough guide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from wildstyle.errors import SettingError
from wildstyle.evaluation.result import Measure, Result

Basis = Literal["FPIR", "FMR"]

FORMULAS: dict[Basis, str] = {
    "FPIR": "FPIR(N) = 1 - (1 - FPIR(n))^(N/n)",
    "FMR": "FPIR(N) = 1 - (1 - FMR)^N, near N x FMR",
}
_GALLERIES = ("enrolled people", "gallery people", "gallery templates", "gallery")
_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the recogniser will work.

    Attributes:
        gallery_size: N, people enrolled there, at least 1.
        faces_a_day: F, faces that are searched in a day.
        watchlist_share: w in [0, 1], share of those faces that show an enrolled person.
    """

    gallery_size: int
    faces_a_day: float
    watchlist_share: float = 0.0

    def __post_init__(self) -> None:
        if self.gallery_size < 1 or not self.faces_a_day >= 0 or not 0 <= self.watchlist_share <= 1:
            raise SettingError(
                f"a site has a gallery of 1 or more, 0 or more faces a day and a watch-list share in [0, 1],"
                f" not {self.gallery_size}, {self.faces_a_day:g} and {self.watchlist_share:g}",
                remedy="give for example --gallery-size 500 --faces-a-day 20000 --watchlist-share 0.001",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A number that is expected in a day, with the ends that its rate's 95 % interval gives; None: no interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """What one operating point does in a day.

    Attributes:
        figure: the measure it rests on, e.g. ``"tpir@fpir=1e-2"``.
        basis: "FPIR" or "FMR": which formula was used, see ``FORMULAS``.
        threshold: as in ``Measure``.
        rate: the FPIR or FMR that was reached in the measurement.
        trials: non-mated probes or impostor comparisons behind it.
        measured_gallery: n, people the FPIR was measured on; None for an FMR.
        fpir: what is expected at the site's gallery, share in [0, 1].
        false_alarms: a day; the interval treats the trials as independent, so it is too narrow rather than too wide.
        missed: enrolled people's faces a day that raise no alarm; interval over people, of the measure itself.
    """

    figure: str
    basis: Basis
    threshold: float | None
    rate: float
    trials: int
    measured_gallery: int | None
    fpir: float
    false_alarms: Expected
    missed: Expected

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; ``formula`` says how ``fpir`` came about."""
        return {**asdict(self), "formula": FORMULAS[self.basis]}


def alarms_of(result: Result, site: Site) -> tuple[Alarms, ...]:
    """Expectations for every operating point of a result that says what it reached, over all faces."""
    return tuple(_alarms(result, site))


def fpir_of_fmr(fmr: float, gallery: int) -> float:
    """1 - (1 - fmr)^gallery: chance that a stranger raises an alarm among ``gallery`` independent comparisons."""
    return float(-_expm1_of(fmr, gallery))


def fpir_at(fpir: float, measured: int, wanted: int) -> float:
    """An FPIR measured on ``measured`` people, at a gallery of ``wanted``: 1 - (1 - fpir)^(wanted / measured)."""
    return float(-_expm1_of(fpir, wanted / measured))


def exact_interval(rate: float, trials: int) -> tuple[float, float]:
    """95 % interval of a share of independent trials (Clopper and Pearson 1934); (0, 1) without any trial.

    With no event in n trials its upper end is close to 3.7 / n: the two-sided kin of the "rule of three".
    """
    from scipy.stats import beta

    if trials < 1:
        return 0.0, 1.0
    hits = round(rate * trials)
    low = 0.0 if hits == 0 else float(beta.ppf(_TAIL, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.ppf(1 - _TAIL, hits + 1, trials - hits))
    return low, high


def _alarms(result: Result, site: Site) -> Iterator[Alarms]:
    gallery = next((result.counts[key] for key in _GALLERIES if result.counts.get(key)), None)
    for measure in result.measures:
        kind = measure.name.partition("@")[2].partition("=")[0]
        if measure.group != "all" or measure.value is None or measure.reached is None or not measure.impostors:
            continue
        if kind == "fpir" and gallery is not None:
            yield _expected(measure, "FPIR", gallery, site)
        elif kind == "fmr":
            yield _expected(measure, "FMR", None, site)


def _expected(measure: Measure, basis: Basis, gallery: int | None, site: Site) -> Alarms:
    rate, trials = measure.reached or 0.0, measure.impostors or 0

    def at_site(share: float) -> float:
        return fpir_of_fmr(share, site.gallery_size) if gallery is None else fpir_at(share, gallery, site.gallery_size)

    strangers = site.faces_a_day * (1 - site.watchlist_share)
    enrolled = site.faces_a_day * site.watchlist_share
    low, high = (strangers * at_site(end) for end in exact_interval(rate, trials))
    ends = [None if end is None else enrolled * (1 - end) for end in (measure.high, measure.low)]
    return Alarms(
        figure=measure.name,
        basis=basis,
        threshold=measure.threshold,
        rate=rate,
        trials=trials,
        measured_gallery=gallery,
        fpir=at_site(rate),
        false_alarms=Expected(value=strangers * at_site(rate), low=low, high=high),
        missed=Expected(value=enrolled * (1 - (measure.value or 0.0)), low=ends[0], high=ends[1]),
    )


def _expm1_of(rate: float, power: float) -> float:
    """(1 - rate)^power - 1, exact for tiny rates."""
    if not 0 <= rate <= 1:
        raise SettingError(f"a rate lies in [0, 1], not {rate}")
    return -1.0 if rate == 1 else math.expm1(power * math.log1p(-rate))
