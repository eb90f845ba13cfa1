from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from wildstyle.errors import CorruptArchive, InputError, SettingError
from wildstyle.evaluation import SCHEMA_VERSION, Comparison, Difference, Measure, Result

RESULT = Result(
    protocol="identification",
    version="1",
    data="films",
    rules={"flip": "none"},
    counts={"probes": 12},
    measures=(
        Measure("rank-1", 0.5, 0.4, 0.6, 12),
        Measure("tar@fmr=1e-3", None, None, None, 12, "<40 px", "not measurable: too few"),
    ),
)
COMPARISON = Comparison(
    RESULT,
    replace(RESULT, measures=(Measure("rank-1", 0.6, 0.5, 0.7, 12),)),
    (
        Difference("rank-1", "all", 0.5, 0.6, 0.1, 0.02, 0.2, 12),
        Difference("tar@fmr=1e-3", "all", None, 0.3, None, None, None, 12, "not measurable before"),
    ),
)


def test_records_survive_json() -> None:
    assert Result.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT
    assert Comparison.from_json(json.loads(json.dumps(COMPARISON.to_json(), allow_nan=False))) == COMPARISON


def test_the_schema_is_written_and_a_note_only_where_there_is_one() -> None:
    written = RESULT.to_json()
    assert written["schema"] == SCHEMA_VERSION == 2
    assert "note" not in written["measures"][0]
    assert written["measures"][1]["note"].startswith("not measurable")
    assert written["measures"][1]["value"] is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: v.pop("counts"),
        lambda v: v.update(schema=3),
        lambda v: v.update(colour="red"),
        lambda v: v["measures"][0].pop("n"),
        lambda v: v["measures"][0].update(colour="red"),
    ],
)
def test_a_record_with_missing_or_unknown_keys_is_refused(spoil: Any) -> None:
    value = RESULT.to_json()
    spoil(value)
    with pytest.raises(CorruptArchive):
        Result.from_json(value)


@pytest.mark.parametrize(
    "values",
    [
        (None, None, None),  # no value and no reason
        (None, 0.1, 0.2),
        (0.5, 0.4, None),
        (0.5, 0.6, 0.4),
        (float("nan"), None, None),
        (float("inf"), None, None),
    ],
)
def test_a_measure_that_says_too_little_or_too_much_is_refused(values: tuple[float | None, ...]) -> None:
    with pytest.raises(SettingError):
        Measure("rank-1", *values, 3)
    with pytest.raises(SettingError):
        Difference("rank-1", "all", 0.1, 0.2, *values, 3)


def test_figures_are_found_by_name_and_group() -> None:
    assert RESULT.measure("rank-1").value == 0.5
    assert COMPARISON.difference("rank-1").gain == 0.1
    with pytest.raises(InputError, match="rank-1"):
        RESULT.measure("rank-9")
    with pytest.raises(InputError, match="rank-1"):
        COMPARISON.difference("rank-1", "nobody")
