from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_up_run import NASTY, Page, clean_guard, difference, fill, full_target, guard, sample, target

from wildstyle.errors import CorruptArchive, InputError, SettingError
from wildstyle.evaluation.result import Curve
from wildstyle.report import (
    Ingested,
    comparison_rows,
    overall_rows,
    read_records,
    render_model_card,
    render_report,
    store_ingested,
    store_licences,
)
from wildstyle.report.figures import before_after_figure, curve_figure, gain_figure, size_figure
from wildstyle.report.html import plots_of
from wildstyle.report.licences import Licence
from wildstyle.report.plots import curve_plots
from wildstyle.report.records import EvaluatedSet, file_name
from wildstyle.report.svg import nice_step
from wildstyle.runs import RunFolder


def test_report_stands_alone(tmp_path: Path) -> None:
    path = render_report(sample(tmp_path / "run"))
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.outside == []
    assert "script" not in page.tags
    assert path == tmp_path / "run" / "report.html"


def test_report_holds_what_a_reader_asks_for(tmp_path: Path) -> None:
    text = render_report(sample(tmp_path / "first")).read_text(encoding="utf-8")
    assert text.index("Deploy</h1>") < text.index("Before and after") < text.index("Where this comes from")
    for words in (
        "+3.6",
        "+1.9 to +5.4",
        "no face found",
        "371",
        "metrics/rejected-door.csv",
        "identity kept",
        "How to undo",
        "Apache-2.0",
        "a3" * 32,
        "wildstyle 0.1.0",
        "strict, ties accepted",
        "Not measured",
        "12 pictures lie in both",
        "synthesis.steps",
        "few expected false matches",
    ):
        assert words in text, words


def test_everything_from_records_is_escaped(tmp_path: Path) -> None:
    evil = target(difference(note=NASTY), difference("rank-1", f"<40{NASTY}", 0.2, 0.3, (0.05, 0.15)), name=NASTY)
    run = fill(RunFolder.create(tmp_path / "run", {NASTY: NASTY}), evil)
    store_ingested(run, Ingested(name=NASTY, read=3, kept=1, rejected={NASTY: 2}, listing=NASTY))
    run.finish_stage("evaluation", "0", summary=NASTY)
    text = render_report(run).read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 8
    assert Page(text).open == []
    assert "<script" not in render_model_card(run).read_text(encoding="utf-8")


def test_faces_only_when_asked_for(tmp_path: Path) -> None:
    run = sample(tmp_path / "run")
    run.file("sheets").mkdir()
    run.file("sheets/twins.jpg").write_bytes(b"\xff\xd8picture")
    run.write_json("sheets/captions", {"twins.jpg": "Clean faces & their twins"})
    coded = base64.b64encode(b"\xff\xd8picture").decode()
    assert coded not in render_report(run).read_text()
    shown = render_report(run, include_faces=True).read_text()
    assert f'src="data:image/jpeg;base64,{coded}"' in shown
    assert "Clean faces &amp; their twins" in shown


def test_moved_folder_renders_the_same_and_names_no_place(tmp_path: Path) -> None:
    run = sample(tmp_path / "here" / "run")
    first, card = render_report(run).read_text(), render_model_card(run).read_text()
    assert str(tmp_path) not in first + card
    (tmp_path / "there").mkdir()
    shutil.move(run.path, tmp_path / "there" / "run")
    assert render_model_card(tmp_path / "there" / "run").read_text() == card
    assert render_report(tmp_path / "there" / "run").read_text() == first


def test_bare_run_says_what_is_missing(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {})
    text, card = render_report(run).read_text(), render_model_card(run).read_text()
    assert "Not enough evidence" in text
    assert "Nothing was measured" in text
    assert "No provenance is recorded" in text
    assert "the run has not come that far" in card
    assert Page(text).open == []


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder"):
        render_report(tmp_path)


@pytest.mark.parametrize("damage", ['{"schema": 1}', '{"schema": 9}', "[]"])
@pytest.mark.parametrize("name", ["ingest-x", "evaluation-x", "diagnostics-x", "recogniser"])
def test_damaged_record_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    run = sample(tmp_path / "run")
    run.file(f"metrics/{name}.json").write_text(damage)
    with pytest.raises(CorruptArchive):
        read_records(run)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    records = read_records(sample(tmp_path / "run"))
    assert records.evaluations == (full_target(), clean_guard())
    (ingested,) = records.ingested
    assert ingested.rejected["no face found"] == 371
    assert {d.stage for d in records.diagnostics} == {"synthesis", "adaptation"}
    assert records.recogniser is not None
    assert records.recogniser.files == ("recogniser.onnx", "recogniser.safetensors")
    assert [check.passed for check in records.checks] == [True, False]


def test_evaluation_records_of_old_runs_are_read() -> None:
    record = clean_guard().to_json() | {"curves": None}
    assert EvaluatedSet.from_json(record) == clean_guard()
    with pytest.raises(CorruptArchive):
        EvaluatedSet.from_json(record | {"curves": {"before": []}})


def test_cost_of_serving_is_in_report_and_card(tmp_path: Path) -> None:
    run = sample(tmp_path / "run")
    for text in (render_report(run).read_text(), render_model_card(run).read_text()):
        assert "11.9 ms a face on one thread" in text
        assert "11.8 ms" in text
        assert "4.2 MB" in text


def test_licences_are_in_report_and_card(tmp_path: Path) -> None:
    run = sample(tmp_path / "run")
    text, card = render_report(run).read_text(), render_model_card(run).read_text()
    # Without a ledger: the recogniser's from its contract.
    assert "| recogniser | mobilefacenet.onnx | Apache-2.0 | contract |" in card
    entries = [
        Licence(name="shop", file="shop.csv"),
        Licence(name="lfw", file="lfw.tar", licence="ask", source="the user"),
    ]
    store_licences(run, entries)
    text, card = render_report(run).read_text(), render_model_card(run).read_text()
    assert "| shop | shop.csv | not stated |  |" in card
    assert "| lfw | lfw.tar | ask | the user |" in card
    assert "not stated" in text
    assert read_records(run).licences[:2] == tuple(entries)


def test_thresholds_of_the_contract_are_on_the_card(tmp_path: Path) -> None:
    run = sample(tmp_path / "run")
    record = run.metrics()["recogniser"]
    record["contract"]["thresholds"] = {"fmr=1e-3": {"threshold": 0.312, "people": 40}}
    run.write_metrics("recogniser", record)
    card = render_model_card(run).read_text()
    assert "### Thresholds" in card
    assert "fmr=1e-3: (threshold: 0.312, people: 40)" in card
    assert "threshold: 0.312" in render_report(run).read_text()


def test_curves_of_both_sides_are_drawn(tmp_path: Path) -> None:
    text = render_report(sample(tmp_path / "run")).read_text()
    for title in ("Verification errors (DET)", "Watch-list errors", "(CMC)", "Scores", "(EDC)", "threshold 0.3 kept"):
        assert title in text
    assert text.count('class="c-before"') >= 5
    assert text.count("data:text/csv;base64,") == 5


def test_file_names_are_safe() -> None:
    assert file_name("../a b/ü") == "a-b"
    assert file_name("lfw_1.0") == "lfw_1.0"
    with pytest.raises(SettingError):
        file_name("../")


def test_model_card_has_the_fields(tmp_path: Path) -> None:
    card = render_model_card(sample(tmp_path / "run")).read_text(encoding="utf-8")
    for heading in (
        "# Model card",
        "## Model details",
        "### Input contract",
        "## Intended use",
        "### Out of scope",
        "## Factors",
        "## Evaluation",
        "## Caveats and recommendations",
        "## Ethical considerations",
    ):
        assert heading in card
    assert "| shop | Rank-1 | all | 49.5% (47.5–51.5) | 53.1% (51.1–55.1) | +3.6 (+1.9 to +5.4) |" in card
    assert "| model id | mobilefacenet\\|made up |" in card
    assert "| norm is quality | no |" in card
    tables = re.findall(r"^\|.*$", card, re.MULTILINE)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {3, 5, 8}


def test_rows() -> None:
    rows = comparison_rows([full_target(), clean_guard()])
    assert [r.mark for r in rows[:6]] == ["better", "better", "better", "unsettled", "unsettled", "not measurable"]
    assert rows[0].cells() == (
        "shop",
        "Rank-1",
        "all",
        "49.5% (47.5–51.5)",
        "53.1% (51.1–55.1)",
        "+3.6 (+1.9 to +5.4)",
        "2\u202f370",
    )
    assert rows[5].cells()[3:6] == ("not measurable", "not measurable", "–")
    assert [r.group for r in rows if r.group != "all"] == ["< 40 px", "40–79 px", "≥ 80 px"]
    assert [r.name for r in overall_rows([full_target()])] == [r.name for r in rows[:6]]
    # Near 100 % a tenth of a point is many errors.
    assert rows[-2].gain == "−0.02"
    (worse,) = comparison_rows([guard(difference(after=0.4, ends=(-0.2, -0.05)))])
    assert worse.mark == "worse"


def dots(svg: str) -> list[tuple[str, float]]:
    root = ElementTree.fromstring(svg)
    return [(dot.attrib["class"], float(dot.attrib["cx"])) for dot in root.iter("circle")]


def test_gains_are_drawn_in_place_and_colour() -> None:
    rows = comparison_rows(
        [
            target(
                difference(after=0.54, ends=(0.02, 0.06)),
                difference("rank-5", after=0.50, ends=(-0.02, 0.02)),
                difference("rank-9", after=0.46, ends=(-0.06, -0.02)),
                difference("rank-20", before=None, after=None, note="not measurable"),
            )
        ]
    )
    figure = gain_figure(rows)
    assert figure is not None
    (up, a), (flat, b), (down, c) = dots(figure)
    assert [up, flat, down] == ["f-better", "f-unsettled", "f-worse"]
    assert a - b == pytest.approx(b - c, abs=0.2)
    assert a > b
    assert gain_figure(rows[3:]) is None


def test_shares_are_drawn_on_one_scale() -> None:
    figure = before_after_figure(comparison_rows([target(difference(before=0.0, after=1.0, ends=(0.9, 1.0)))]))
    assert figure is not None
    (before, x0), (after, x1) = dots(figure)
    assert [before, after] == ["f-before", "f-after"]
    ends = [float(t.attrib["x"]) for t in ElementTree.fromstring(figure).iter("text") if t.text in ("0%", "100%")]
    assert [x0, x1] == pytest.approx(ends, abs=0.2)
    assert before_after_figure([]) is None


def test_figures_are_well_formed_and_read_aloud() -> None:
    histogram = {"edges": [0.0, 8.0, 16.0], "counts": [3, 1]}
    drawn = [
        *(plot.drawing for plot in plots_of(full_target())),
        size_figure([Ingested(name="a", read=4, kept=4, eye_distances=histogram)]),
        curve_figure("loss <a>", [[0, 1.0], [10, float("nan")], [20, 0.5]]),
    ]
    for figure in drawn:
        assert figure is not None
        root = ElementTree.fromstring(figure)
        assert root.attrib["role"] == "img"
        title, description = root[0], root[1]
        assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {description.attrib['id']}"
        assert title.text
        assert description.text


def test_nothing_to_draw_is_no_figure() -> None:
    assert plots_of(target(difference())) == []
    assert curve_plots({"": [Curve("det", "FMR", "FNMR", ((0.0, 1.0), (0.0, 0.5)))]})[0].drawing is None
    assert size_figure([]) is None
    assert size_figure([Ingested(name="a", read=0, kept=0, eye_distances={"edges": [0.0, 1.0], "counts": [0]})]) is None
    assert curve_figure("loss", [[0, 1.0]]) is None


@pytest.mark.parametrize("span", [1e-4, 0.003, 0.0099, 0.05, 0.7, 1.0, 33.0, 5000.0])
def test_steps_are_round_and_few(span: float) -> None:
    step = nice_step(span)
    assert 3 <= span / step <= 11
    assert re.fullmatch(r"[125]", f"{step:.0e}"[0])
