"""Expected alarms, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.evaluation import Measure, Result
from wildstyle.evaluation.alarms import Site, alarms_of, exact_interval, fpir_at, fpir_of_fmr

SITE = Site(gallery_size=500, faces_a_day=20000, watchlist_share=0.001)


def result(*measures: Measure, **counts: int) -> Result:
    return Result("identification", "1", "shop", {}, {key.replace("_", " "): n for key, n in counts.items()}, measures)


def test_fpir_from_an_fmr() -> None:
    assert fpir_of_fmr(1e-3, 500) == pytest.approx(1 - 0.999**500)
    assert fpir_of_fmr(1e-3, 500) == pytest.approx(0.393621, abs=1e-6)
    # Near N x FMR where that is small.
    assert fpir_of_fmr(1e-9, 1000) == pytest.approx(1e-6, rel=1e-6)
    assert fpir_of_fmr(0.0, 500) == 0.0
    assert fpir_of_fmr(1.0, 1) == 1.0


def test_fpir_at_another_gallery() -> None:
    assert fpir_at(0.1, 20, 20) == pytest.approx(0.1)
    assert fpir_at(0.1, 20, 500) == pytest.approx(0.928210, abs=1e-6)
    assert fpir_at(0.1, 20, 10) == pytest.approx(1 - 0.9**0.5)


@given(st.floats(0, 1), st.integers(1, 5000), st.integers(1, 5000))
def test_more_people_never_mean_fewer_alarms(rate: float, n: int, more: int) -> None:
    assert 0 <= fpir_of_fmr(rate, n) <= fpir_of_fmr(rate, n + more) <= 1
    assert fpir_at(fpir_of_fmr(rate, n), n, n + more) == pytest.approx(fpir_of_fmr(rate, n + more), abs=1e-6)


def test_exact_interval() -> None:
    # No event in n trials: 1 - 0.025^(1/n).
    assert exact_interval(0.0, 100) == pytest.approx((0.0, 1 - 0.025**0.01))
    assert exact_interval(1.0, 100) == pytest.approx((0.025**0.01, 1.0))
    assert exact_interval(0.5, 10) == pytest.approx((0.187086, 0.812914), abs=1e-6)
    assert exact_interval(0.3, 0) == (0.0, 1.0)


def test_exact_interval_covers() -> None:
    rate, trials = 0.02, 400
    hits = np.random.default_rng(0).binomial(trials, rate, 2000)
    ends = {int(k): exact_interval(k / trials, trials) for k in np.unique(hits)}
    inside = np.mean([ends[int(k)][0] <= rate <= ends[int(k)][1] for k in hits])
    assert inside >= 0.94


def test_a_day_from_an_fmr() -> None:
    tar = Measure("tar@fmr=1e-3", 0.9, 0.8, 0.95, 500, threshold=0.31, reached=1e-3, impostors=90_000)
    (day,) = alarms_of(result(tar), SITE)
    assert (day.basis, day.measured_gallery, day.trials, day.threshold) == ("FMR", None, 90_000, 0.31)
    # 20000 x 0.999 strangers a day x 0.393621; 20 enrolled faces a day, a tenth of them missed.
    assert day.false_alarms.value == pytest.approx(19_980 * 0.393621, rel=1e-5)
    assert day.missed.value == pytest.approx(2.0)
    assert (day.missed.low, day.missed.high) == pytest.approx((1.0, 4.0))
    low, high = exact_interval(1e-3, 90_000)
    assert day.false_alarms.low == pytest.approx(19_980 * fpir_of_fmr(low, 500))
    assert day.false_alarms.high == pytest.approx(19_980 * fpir_of_fmr(high, 500))
    assert day.to_json()["formula"].startswith("FPIR(N) = 1 - (1 - FMR)^N")


def test_a_day_from_an_fpir() -> None:
    tpir = Measure("tpir@fpir=1e-1", 0.75, None, None, 200, threshold=0.4, reached=0.1, impostors=240)
    (day,) = alarms_of(result(tpir, enrolled_people=20), SITE)
    assert (day.basis, day.measured_gallery) == ("FPIR", 20)
    assert day.false_alarms.value == pytest.approx(19_980 * 0.928210, rel=1e-5)
    assert (day.missed.value, day.missed.low, day.missed.high) == (pytest.approx(5.0), None, None)


def test_points_that_say_too_little_are_left_out() -> None:
    known = {"low": None, "high": None, "n": 10}
    assert alarms_of(result(Measure("rank-1", 0.5, **known), enrolled_people=5), SITE) == ()
    assert alarms_of(result(Measure("tar@fmr=1e-3", 0.5, **known)), SITE) == ()
    # An FPIR without the size of its gallery can't be moved to another.
    assert alarms_of(result(Measure("tpir@fpir=1e-1", 0.5, **known, reached=0.1, impostors=50)), SITE) == ()
    band = Measure("tar@fmr=1e-3", 0.5, **known, group="<40 px", reached=1e-3, impostors=5000)
    assert alarms_of(result(band), SITE) == ()


@pytest.mark.parametrize("change", [{"gallery_size": 0}, {"faces_a_day": -1}, {"watchlist_share": 1.5}])
def test_impossible_sites_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="a site has"):
        Site(**{"gallery_size": 5, "faces_a_day": 5, "watchlist_share": 0, **change})  # type: ignore[arg-type]


def test_impossible_rate_is_refused() -> None:
    with pytest.raises(SettingError):
        fpir_of_fmr(1.5, 10)
