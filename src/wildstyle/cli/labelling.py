"""``wildstyle faces label`` and ``wildstyle faces proxy``: for footage without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract, DetectorPath
from wildstyle.cli.screen import Screen, console
from wildstyle.runs.atomic import write_json

if TYPE_CHECKING:
    from wildstyle.evaluation.confirmed import Share
    from wildstyle.evaluation.implied import Answer
    from wildstyle.evaluation.result import Comparison, Result
    from wildstyle.verbs.label_job import LabelReport, ShownPair

Footage = Annotated[
    Path, typer.Argument(help="Video, folder of videos, or aligned faces: folder, tar or .csv manifest.")
]
FacesOf = Annotated[Path | None, typer.Option("--faces", help="Where the faces of a manifest are, if not beside it.")]
Work = Annotated[
    Path | None,
    typer.Option("--work", help="Folder for faces cut from videos. Default: OUT.faces or FOOTAGE.faces."),
]
PerSecond = Annotated[float, typer.Option(help="Frames of a video taken a second.")]
WorkersOf = Annotated[int, typer.Option(help="Reading threads.")]

_LISTED = 5


def label_command(
    footage: Footage,
    recogniser: Annotated[Path, typer.Option("--recogniser", help="Model that proposes questions; it never decides.")],
    out: Annotated[Path, typer.Option("--out", help="CSV of the protocol; labels and answers lie beside it.")],
    answers: Annotated[
        list[Path] | None, typer.Option("--answers", help="Filled-in answers, as the page offers; several if wanted.")
    ] = None,
    ask: Annotated[
        Literal["page", "terminal"], typer.Option(help="Write a page with questions, or ask here.")
    ] = "page",
    sheet: Annotated[Path | None, typer.Option(help="The page with questions. Default: OUT.ask.html.")] = None,
    questions: Annotated[int, typer.Option(help="Questions at a time.")] = 40,
    faces: FacesOf = None,
    work: Work = None,
    contract: Contract = None,
    detector: DetectorPath = None,
    per_second: PerSecond = 10.0,
    media_minutes: Annotated[
        float | None, typer.Option(help="Cut each video into media of so many minutes. Default: a video is one.")
    ] = None,
    alike: Annotated[float, typer.Option(help="Cosine from which faces of one medium are one track.")] = 0.5,
    audit: Annotated[float, typer.Option(help="Share of questions that check at random what is implied.")] = 0.2,
    order: Annotated[
        Literal["fair", "likely"],
        typer.Option(help="fair: tracks at random, for figures; likely: most faces an answer, figures then flatter."),
    ] = "fair",
    patience: Annotated[int, typer.Option(help="People that a track is compared with before it stays unplaced.")] = 8,
    gain: Annotated[float, typer.Option(help="Smallest gain worth knowing, a share: says how much is enough.")] = 0.03,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    workers: WorkersOf = 2,
) -> None:
    """Label footage by yes or no: is this the same person? Writes a manifest that can be evaluated."""
    from wildstyle.evaluation.asking import AskingOptions
    from wildstyle.verbs.label_job import LabelJob
    from wildstyle.verbs.labelling import label
    from wildstyle.verbs.tracked import FootageJob

    job = LabelJob(
        footage=FootageJob(
            footage=footage,
            work=work or out.with_suffix(".faces"),
            faces=faces,
            detector=detector,
            per_second=per_second,
            media_minutes=media_minutes,
            workers=workers,
        ),
        recogniser=recogniser,
        out=out,
        contract=contract,
        answers=tuple(answers or ()),
        sheet=sheet,
        questions=questions,
        alike=alike,
        gain=gain,
        asking=AskingOptions(audit=audit, seed=seed, order=order, patience=patience),
    )
    with Screen() as screen:
        report = label(job, asker=_ask_here if ask == "terminal" else None, progress=screen)
    _print_report(report)


def proxy_command(
    recogniser: Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")],
    footage: Footage,
    after: Annotated[Path | None, typer.Option(help="Adapted model; differences are paired.")] = None,
    faces: FacesOf = None,
    work: Work = None,
    contract: Contract = None,
    detector: DetectorPath = None,
    per_second: PerSecond = 10.0,
    min_gap: Annotated[int, typer.Option(help="Frames that two faces of a track lie apart at least.")] = 10,
    gap: Annotated[int, typer.Option(help="Frames a track may be unseen.")] = 25,
    across_frames: Annotated[
        bool, typer.Option("--across-frames", help="Compare all faces of two tracks that were seen together.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of pairs and intervals.")] = 0,
    workers: WorkersOf = 2,
    out: Annotated[Path | None, typer.Option(help="Write the result to this JSON file too.")] = None,
) -> None:
    """Figures without labels: faces in one frame are two people, faces of one track are one. No error rates."""
    from wildstyle.evaluation.proxy import ProxyOptions
    from wildstyle.verbs.proxy import ProxyJob, proxy
    from wildstyle.verbs.tracked import FootageJob

    job = ProxyJob(
        footage=FootageJob(
            footage=footage,
            work=work or Path(f"{footage.name}.faces"),
            faces=faces,
            detector=detector,
            per_second=per_second,
            workers=workers,
        ),
        recogniser=recogniser,
        after=after,
        contract=contract,
        options=ProxyOptions(min_gap=min_gap, across_frames=across_frames, seed=seed),
        gap=gap,
        seed=seed,
    )
    with Screen() as screen:
        report = proxy(job, progress=screen)
    if out is not None:
        write_json(out, (report.comparison or report.result).to_json())
    _print_result(report.result)
    if report.comparison is not None:
        _print_comparison(report.comparison)


def _ask_here(shown: ShownPair) -> Answer | None:
    """Ask in the terminal; an empty line or the end of the input stops."""
    from wildstyle.verbs.answers import WORDS

    console.print(f"\n[bold]Question {shown.number}[/bold]  {escape(shown.outlook.sentence)}", soft_wrap=True)
    for name, side in (("A", shown.left), ("B", shown.right)):
        console.print(f"  {name}  {escape('  '.join(side))}", soft_wrap=True)
    while True:
        try:
            said = console.input("A and B are the same person? yes / no / unsure (empty stops): ").strip().lower()
        except EOFError:
            return None
        if not said:
            return None
        if said in WORDS:
            return WORDS[said]
        console.print("  Write yes, no or unsure.")


def _print_report(report: LabelReport) -> None:
    found = report.confirmed
    console.print(
        f"{report.faces:,} faces in {report.tracks:,} tracks; {report.labelled:,} faces of {len(found.people):,} people"
        f" confirmed, {len(found.strangers):,} strangers seen once"
    )
    if report.left_out:
        console.print(f"{report.left_out:,} small tracks are left out: there are too many to ask about")
    if found.unsettled:
        console.print(f"{len(found.unsettled):,} people are left out until it is known whether they are somebody else")
    console.print(escape(report.bias), soft_wrap=True)
    for pairs in report.contradictions[:_LISTED]:
        said = ", ".join(f"{a} {'=' if same else '≠'} {b}" for a, b, same in pairs)
        console.print(f"[yellow]can't all be true[/yellow], asked again: {escape(said)}", soft_wrap=True)
    if found.disputed:
        console.print(f"{len(found.disputed):,} tracks are left out: answers contradict each other or a check failed")
    console.print(f"implied to be one person, checked at random: {_share_text(report.same)}")
    console.print(f"taken as different people, checked at random: {_share_text(report.different)}")
    console.print(escape(report.outlook.sentence), soft_wrap=True)
    for what, path in report.files.items():
        console.print(f"{what:>10}  {escape(str(path))}", soft_wrap=True)
    if report.questions:
        console.print(f"{report.questions} questions are on the page; answer them and give the file with --answers")
    if report.evaluate is not None:
        console.print(f"wildstyle evaluate MODEL {escape(report.evaluate)}", soft_wrap=True)
    else:
        console.print(f"no protocol yet: {escape(report.why_not or '')}", soft_wrap=True)


def _share_text(share: Share) -> str:
    if share.value is None:
        return "none checked yet"
    return (
        f"{share.hits} of {share.trials} hold"
        f" ({100 * share.value:.1f} %, 95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %)"
    )


def _print_result(result: Result) -> None:
    console.print(f"[bold]{escape(result.data)}[/bold]: {escape(result.rules['proxy'])}", soft_wrap=True)
    console.print(", ".join(f"{count:,} {name}" for name, count in result.counts.items()), soft_wrap=True)
    table = Table("figure", "value", "95 % over tracks", "n", "note", box=None)
    for m in result.measures:
        ends = "–" if m.low is None or m.high is None else f"{_figure(m.name, m.low)} to {_figure(m.name, m.high)}"
        table.add_row(escape(m.name), _figure(m.name, m.value), ends, f"{m.n:,}", escape(m.note or ""))
    console.print(table)


def _print_comparison(found: Comparison) -> None:
    table = Table("figure", "before", "after", "after − before", "95 % over tracks", "note", box=None)
    for d in found.differences:
        known = d.gain is not None and d.low is not None and d.high is not None
        table.add_row(
            escape(d.name),
            _figure(d.name, d.before),
            _figure(d.name, d.after),
            _figure(d.name, d.gain),
            f"{_figure(d.name, d.low)} to {_figure(d.name, d.high)}" if known else "–",
            escape(d.note or ""),
        )
    console.print(table)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if "threshold" in name else f"{100 * value:.1f} %"
