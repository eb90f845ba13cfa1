"""Options that several commands share, and how they become a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wildstyle.errors import SettingError
from wildstyle.verbs.configuration import overlay, read_toml

# Verbs load a deep-learning library; commands import them when they run, so that --help answers at once.
if TYPE_CHECKING:
    from wildstyle.verbs.jobs import AdaptJob

RecogniserPath = Annotated[
    Path | None, typer.Option("--recogniser", help="Model file to adapt: .onnx, .safetensors or .pt.")
]
SourcePath = Annotated[Path | None, typer.Option("--source", help="Labelled clean faces: folder, tar, .rec or .csv.")]
TargetPaths = Annotated[
    list[Path] | None,
    typer.Option("--target", help="Unlabelled footage: folder, tar or video file; may be given several times."),
]
Evaluations = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluate",
        help="Labelled set measured before and after: NAME=PATH[,faces=PATH][,distractors=PATH]"
        "[,role=target|guard]; may be given several times.",
    ),
]
OutFolder = Annotated[Path | None, typer.Option("--out", help="Run folder; a run that lies there is continued.")]
Contract = Annotated[
    str | None,
    typer.Option(help="How the recogniser wants its input where its file does not say, e.g. rgb,imagenet or bgr,pm1."),
]
DetectorPath = Annotated[
    Path | None, typer.Option("--detector", help="SCRFD or YuNet as .onnx, better than the embedded detector.")
]
StrongPath = Annotated[
    Path | None, typer.Option("--strong", help="A stronger recogniser that you own, as second teacher.")
]
StrongContract = Annotated[
    str | None, typer.Option("--strong-contract", help="As --contract, of the stronger recogniser.")
]
Gate = Annotated[
    bool, typer.Option("--gate", help="Untouched weights for good faces, adapted ones for poor ones, in one file.")
]
Budget = Annotated[str | None, typer.Option(help="Time for all stages together, e.g. 10m or 1h30m (default 20m).")]
Steps = Annotated[int | None, typer.Option(help="Exact number of steps instead of a share of the budget.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random (default 0).")]
Workers = Annotated[int | None, typer.Option(help="Reading threads (default 2).")]
ShowFaces = Annotated[bool, typer.Option("--show-faces", help="Put people's faces into the report.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard events.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file with any setting of the job; options here win over it.")
]

_NEEDED = {"recogniser": "--recogniser", "source": "--source", "target": "--target", "out": "--out"}


def adapt_job(config: Path | None, options: Mapping[str, Any]) -> AdaptJob:
    """A job from a TOML file and the command line; options that were not given are None.

    Raises:
        SettingError: something needed is missing, unknown or of the wrong kind; all faults in one message.
    """
    from wildstyle.training import parse_duration
    from wildstyle.verbs.jobs import AdaptJob

    values: dict[str, Any] = read_toml(config) if config is not None else {}
    given = {key: value for key, value in options.items() if value is not None}
    if "budget" in values:
        values["budget_seconds"] = parse_duration(str(values.pop("budget")))
    if isinstance(values.get("target"), str):
        values["target"] = [values["target"]]
    evaluations = _evaluations(given.pop("evaluate", None) or values.pop("evaluate", []), config)
    if "budget" in given:
        given["budget_seconds"] = parse_duration(given.pop("budget"))
    # A flag sets one value of a table, and leaves the others that the file has.
    tables = {key: {**values.get(key, {}), **value} for key, value in given.items() if isinstance(value, dict)}
    merged = values | {key: _plain(value) for key, value in given.items()} | tables
    missing = [flag for key, flag in _NEEDED.items() if not merged.get(key)]
    if missing:
        raise SettingError(f"{', '.join(missing)} missing", remedy="see wildstyle adapt --help")
    empty = AdaptJob(recogniser=Path(), source=Path(), target=(), out=Path())
    job = overlay(empty, merged, where=str(config or "command line"))
    return replace(job, evaluate=evaluations)


def _evaluations(given: Any, config: Path | None) -> tuple[Any, ...]:
    from wildstyle.verbs.jobs import parse_evaluation

    if not isinstance(given, Sequence) or not all(isinstance(text, str) for text in given):
        raise SettingError("evaluate is a list of NAME=PATH texts", where=config)
    return tuple(parse_evaluation(text) for text in given)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
