from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from made_up_run import NASTY, Page, curves

from wildstyle.errors import CorruptArchive
from wildstyle.evaluation import Curve, Difference, Measure, Result
from wildstyle.evaluation.alarms import Site, alarms_of
from wildstyle.report import (
    EvaluatedRun,
    EvaluationReport,
    FacePair,
    Licence,
    ShownFace,
    SideBySide,
    SiteAlarms,
    evaluation_html,
    evaluation_markdown,
)
from wildstyle.report.evaluation_tables import licence_sheet, set_sheets
from wildstyle.report.face_pairs import MOST_PAIRS
from wildstyle.report.plots import curve_plots

SITE = Site(gallery_size=500, faces_a_day=20000, watchlist_share=0.001)


def result(better: float = 0.0, data: str = "shop") -> Result:
    measures = (
        Measure("rank-1", 0.5 + better, 0.45 + better, 0.55 + better, 2000),
        Measure("tar@fmr=1e-3", 0.4 + better, 0.3, 0.6, 2000, threshold=0.3123, reached=9.87e-4, impostors=89_895),
        Measure(
            "tpir@fpir=1e-1", 0.3, None, None, 900, note="few people (4)", threshold=0.4, reached=0.1, impostors=240
        ),
        Measure("rank-1", 0.2, 0.1, 0.3, 500, "<40 px", note="few people (4)"),
        Measure("rank-1", 0.5 + better, 0.4, 0.6, 2000, "camera=everything"),
        Measure("tar@fmr=1e-6", None, None, None, 2000, note="not measurable: too few"),
    )
    counts = {"people": 40, "probes": 2000, "enrolled people": 20}
    return Result("identification", "1", data, {"flip": "none", "fmr_rule": "strict"}, counts, measures, curves(better))


def report(*names: str, **changes: object) -> EvaluationReport:
    runs = tuple(
        EvaluatedRun(name=name, results={"shop": result(0.05 * i)}, about={"recogniser": f"{name}.onnx"})
        for i, name in enumerate(names or ("mine",))
    )
    compared = tuple(
        SideBySide(
            data="shop",
            before=runs[0].name,
            after=run.name,
            differences=(Difference("rank-1", "all", 0.5, 0.55, 0.05, 0.02, 0.08, 2000),),
        )
        for run in runs[1:]
    )
    made = EvaluationReport(
        title="A title",
        created="2026-11-27",
        runs=runs,
        side_by_side=compared,
        site=SITE,
        alarms=tuple(SiteAlarms(data="shop", run=r.name, alarms=alarms_of(r.results["shop"], SITE)) for r in runs),
        licences=(Licence(name="shop", file="shop.csv"),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def pair(**changes: object) -> FacePair:
    face = ShownFace(jpeg=b"\xff\xd8picture", caption="18 px")
    made = FacePair(data="shop", kind="mated", score=-0.11, probe=face, gallery=face, reason="probe: small (18 px)")
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("mine",), ("mine", "other"), tuple("abcdefg")])
def test_page_stands_alone(names: tuple[str, ...]) -> None:
    page = Page(evaluation_html(report(*names)))
    assert page.open == []
    assert page.outside == []
    assert "script" not in page.tags


def test_page_holds_what_a_reader_asks_for() -> None:
    text = evaluation_html(report("mine", "other"))
    for words in (
        "50.0% (45.0–55.0)",
        "55.0% (50.0–60.0)",
        "+5.0",
        "+2.0 to +8.0",
        "0.3123",
        "0.0987%",
        "89\u202f895",
        "strict",
        "not measurable: too few",
        "A day with 20\u202f000 faces and 500 people enrolled, other",
        "FPIR(N) = 1 - (1 - FMR)^N",
        "not stated",
        "mine.onnx",
        "threshold 0.3 kept",
    ):
        assert words in text, words
    # A group of everybody says nothing new.
    assert "everything" not in text


def test_everything_is_escaped() -> None:
    measures = (replace(result().measures[0], note=NASTY), Measure("rank-1", 0.2, 0.1, 0.3, 5, NASTY))
    evil = replace(
        result(), measures=measures, rules={NASTY: NASTY}, curves=(replace(curves()[0], x=NASTY, note=NASTY),)
    )
    run = EvaluatedRun(name=NASTY, results={NASTY: evil}, about={NASTY: NASTY})
    made = report(title=NASTY, runs=(run,), licences=(Licence(name=NASTY, licence=NASTY),))
    text = evaluation_html(made, [pair(data=NASTY, reason=NASTY)])
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 10
    assert Page(text).open == []
    assert "<script" not in evaluation_markdown(made)


def test_faces_only_where_they_are_given() -> None:
    coded = base64.b64encode(b"\xff\xd8picture").decode()
    assert coded not in evaluation_html(report())
    shown = evaluation_html(report(), [pair(), pair(kind="impostor", score=0.7)])
    assert shown.count(f"data:image/jpeg;base64,{coded}") == 4
    assert "One person, scored too low: -0.110" in shown.replace("</b>", "")
    assert "Two people, scored too high: 0.700" in shown.replace("</b>", "")
    assert evaluation_html(report(), [pair()] * 99).count("<figure") == MOST_PAIRS


def test_json_is_versioned_and_comes_back() -> None:
    made = report("mine", "other")
    stored = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert stored["report"] == 1
    assert EvaluationReport.from_json(stored) == made
    assert evaluation_html(EvaluationReport.from_json(stored)) == evaluation_html(made)


@pytest.mark.parametrize(
    "change", [{"report": 2}, {"runs": None}, {"runs": [{}]}, {"alarms": [{}]}, {"licences": [{"x": 1}]}]
)
def test_damaged_json_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CorruptArchive):
        EvaluationReport.from_json({**report().to_json(), **change})


def test_markdown_tables_have_one_width() -> None:
    text = evaluation_markdown(report("mine", "other"))
    blocks = [block for block in re.split(r"\n\s*\n", text) if block.lstrip().startswith("|")]
    assert len(blocks) >= 7
    for block in blocks:
        table = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, block
        assert re.fullmatch(r"\|(-{3}:?\|)+", table[1]), block
    assert "| Rank-1 | 50.0% (45.0–55.0) | 55.0% (50.0–60.0) | 2 000 |" in text
    assert "### other against mine" in text


def test_cells_are_stacked_under_their_names_on_a_telephone() -> None:
    text = evaluation_html(report())
    assert 'data-label="threshold"' in text
    assert "@media screen and (max-width: 820px)" in text
    assert "@media print" in text


def test_sheets_of_one_run() -> None:
    sheets = {sheet.kind: sheet for sheet in set_sheets(report(), "shop")}
    assert list(sheets) == ["figures", "points", "groups", "alarms", "counts", "rules"]
    assert all(len(row) == len(sheet.columns) for sheet in sheets.values() for row in sheet.rows)
    assert sheets["points"].rows[0] == (
        "TAR at FMR 0.1%",
        "0.3123",
        "FMR 0.1%",
        "0.0987%",
        "89\u202f895",
        "40.0% (30.0–60.0)",
    )
    assert sheets["groups"].rows == (("Rank-1, < 40 px", "20.0% (10.0–30.0)", "500"),)
    assert "TPIR at FPIR 10%: few people (4)." in sheets["figures"].notes
    assert licence_sheet(report()).rows == (("shop", "shop.csv", "not stated", ""),)


def test_unpaired_runs_say_why() -> None:
    compared = SideBySide(
        data="shop",
        before="a",
        after="b",
        differences=(Difference("rank-1", "all", 0.5, 0.55, 0.05, None, None, 2000, "not paired"),),
        unpaired="the people are others.",
    )
    sheet = next(s for s in set_sheets(report("a", "b", side_by_side=(compared,)), "shop") if s.kind == "differences")
    assert sheet.rows == (("Rank-1", "50.0%", "55.0%", "+5.0", "no interval"),)
    assert "the people are others." in sheet.notes[0]


def test_an_error_rate_that_falls_is_marked_better() -> None:
    falls = Difference("fnmr@old-threshold", "all", 0.4, 0.35, -0.05, -0.08, -0.02, 2000)
    compared = SideBySide(data="shop", before="a", after="b", differences=(falls,))
    sheet = next(s for s in set_sheets(report("a", "b", side_by_side=(compared,)), "shop") if s.kind == "differences")
    assert sheet.marks == ("better",)


def test_plots_hold_all_their_data() -> None:
    plots = curve_plots({"": curves()})
    assert [p.file for p in plots] == ["det.csv", "cmc.csv", "scores.csv", "edc-size.csv", "det-open-set.csv"]
    det = plots[0]
    data = base64.b64decode(det.link.partition(",")[2]).decode().splitlines()
    assert data[0] == "system,FMR,FNMR"
    assert len(data) == 34
    assert float(data[1].split(",")[1]) == pytest.approx(1e-4)
    assert det.legend == ()
    assert [label for _, label in plots[2].legend] == ["mated", "impostor"]
    long = Curve("det", "FMR", "FNMR", tuple((i / 1000, 1 - i / 1000) for i in range(1, 1000)))
    (thinned,) = curve_plots({"": [long]})
    assert 30 < len(thinned.rows) <= 61
    assert thinned.rows[-1][1] == "0.999"


def points_of(svg: object, style: str) -> list[tuple[float, float]]:
    line = next(e for e in ElementTree.fromstring(str(svg)).iter("polyline") if style in e.attrib["class"].split())
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.attrib["points"].split())]


def test_det_is_logarithmic_on_both_axes() -> None:
    curve = Curve("det", "FMR", "FNMR", ((0.0, 1.0), (1e-4, 1.0), (1e-2, 0.1), (1.0, 0.01)))
    (plot,) = curve_plots({"": [curve]})
    (x0, y0), (x1, y1), (x2, y2) = points_of(plot.drawing, "c-after")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.2)
    assert len(plot.rows) == 4


def test_two_systems_lie_on_one_scale() -> None:
    low, high = (Curve("cmc", "rank", "share", ((1.0, a), (10.0, 1.0))) for a in (0.5, 0.75))
    (plot,) = curve_plots({"before": [low], "after": [high]})
    before, after = points_of(plot.drawing, "c-before"), points_of(plot.drawing, "c-after")
    assert before[1] == after[1]
    # From 50 % at the bottom to 100 % at the top, 75 % lies in the middle.
    assert after[0][1] == pytest.approx((before[0][1] + before[1][1]) / 2, abs=0.1)


def test_histogram_ends_on_its_axis() -> None:
    mated = Curve("scores-mated", "score", "share", ((0.0, 0.2), (0.1, 0.8), (0.2, 0.0)))
    (plot,) = curve_plots({"": [mated]})
    points = points_of(plot.drawing, "c-after")
    assert points[0][1] == points[-1][1] == max(y for _, y in points)
    assert len({round(x, 1) for x, _ in points}) == 3
