"""What a user writes for a labelled set, and how time is divided."""

from __future__ import annotations

from pathlib import Path

import pytest

from wildstyle.cli.options import adapt_job
from wildstyle.errors import InputError, SettingError
from wildstyle.verbs.budgets import FEWEST_SECONDS, Estimate, learning_shares
from wildstyle.verbs.jobs import EvaluationSpec, parse_bands, parse_evaluation, with_common
from wildstyle.verbs.measuring import spread


def test_a_manifest_shows_the_cameras_and_pairs_guard() -> None:
    assert parse_evaluation("lfw=a/lfw.tar") == EvaluationSpec(name="lfw", path=Path("a/lfw.tar"), role="guard")
    assert parse_evaluation("shop=s.csv,faces=s.tar,distractors=d.tar") == EvaluationSpec(
        name="shop", path=Path("s.csv"), faces=Path("s.tar"), distractors=Path("d.tar"), role="target"
    )
    assert parse_evaluation("shop=s.csv,role=guard").role == "guard"


def test_every_option_of_a_set() -> None:
    assert parse_evaluation(
        "shop=s.csv,by=media+camera,bands=16+24.5,pooling=N1D1F0,fmr_rule=nearest,discard_by=norm+min_side,"
        "embeddings=e.npy,layout=ijbc"
    ) == EvaluationSpec(
        name="shop",
        path=Path("s.csv"),
        role="target",
        by=("media", "camera"),
        bands=(16.0, 24.5),
        pooling="N1D1F0",
        fmr_rule="nearest",
        discard_by=("norm", "min_side"),
        embeddings=Path("e.npy"),
        layout="ijbc",
    )


def test_common_options_yield_to_those_of_a_set_and_spare_pairs() -> None:
    sets = tuple(parse_evaluation(text) for text in ("a=a.csv", "b=b.csv,by=site,bands=20", "lfw=lfw.bin"))
    a, b, lfw = with_common(sets, by=("camera",), bands=(16.0, 32.0), discard_by=("norm",))
    assert (a.by, a.bands, a.discard_by) == (("camera",), (16.0, 32.0), ("norm",))
    assert (b.by, b.bands, b.discard_by) == (("site",), (20.0,), ("norm",))
    assert lfw == sets[2]
    for wrong in ("", "32,16", "16,16", "nan", "small"):
        with pytest.raises(SettingError, match="rising"):
            parse_bands(wrong, "--bands")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lfw",
        "=a.tar",
        "lfw=",
        "a=b,c",
        "a=b,fases=c",
        "a=b,faces=",
        "a=b,role=maybe",
        "a=b,layout=megaface",
        "a=b,bands=9+8",
    ],
)
def test_other_texts_are_refused_with_the_text(text: str) -> None:
    with pytest.raises(SettingError) as refused:
        parse_evaluation(text)
    assert repr(text) in str(refused.value)


def test_learning_time_is_fixed_when_it_begins(tmp_path: Path) -> None:
    first = learning_shares(tmp_path, 400.0)
    assert learning_shares(tmp_path, 10.0) == first
    assert first.fit + first.adapt <= 400.0
    (tmp_path / "budget.json").write_text("{")
    with pytest.raises(InputError, match=r"budget\.json"):
        learning_shares(tmp_path, 1.0)


def test_a_stage_never_gets_nothing(tmp_path: Path) -> None:
    shares = learning_shares(tmp_path, -100.0)
    assert shares.fit >= FEWEST_SECONDS
    assert shares.adapt >= FEWEST_SECONDS


def test_a_short_budget_says_how_much_is_needed() -> None:
    short = Estimate(budget=60, measuring=50, detecting=0)
    assert not short.enough
    needed = 50 + short.export + 2 * FEWEST_SECONDS
    assert f"at least {needed:.0f} s" in short.shortage()
    assert Estimate(budget=needed + 1, measuring=50, detecting=0).enough


def test_a_sample_is_spread_over_everything() -> None:
    assert spread(0, 5) == []
    assert spread(3, 5) == [0, 1, 2]
    assert spread(101, 3) == [0, 50, 100]


def test_a_flag_sets_one_value_of_a_table_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text("strong = 'big.onnx'\n[gate]\nlower = 20\nupper = 60\n", encoding="utf-8")
    options = {"recogniser": Path("a.onnx"), "source": Path("b"), "target": [Path("c")], "out": Path("d")}
    job = adapt_job(file, options | {"gate": {"enabled": True}, "strong": None})
    assert (job.gate.enabled, job.gate.by_hand) == (True, (20.0, 60.0))
    assert job.strong == Path("big.onnx")
    assert not adapt_job(file, options).gate.enabled
