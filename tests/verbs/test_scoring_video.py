from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from wildstyle.cli.main import app
from wildstyle.errors import InputError
from wildstyle.verbs.scoring_video import score_video

HEAD = "clip,frame,x1,y1,x2,y2,identity\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    truth, found = tmp_path / "truth.csv", tmp_path / "found.csv"
    truth.write_text(HEAD + "a,1,0,0,10,10,one\na,1,50,50,60,60,two\nb,1,0,0,10,10,one\n")
    found.write_text(HEAD + "a,1,0,0,10,11,one\na,1,50,50,60,60,one\nb,1,70,70,80,80,one\n")
    return truth, found


def test_right_over_matched_missed_and_false(files: tuple[Path, Path]) -> None:
    # Two matched, one of them right; one missed; one false box: 1 / (2 + 1 + 1).
    result = score_video(*files)
    assert result.measure("facerecbox").value == pytest.approx(0.25)
    assert result.measure("identity-accuracy").value == pytest.approx(0.5)


def test_the_command_shows_and_writes(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "score.json"
    shown = CliRunner().invoke(app, ["protocol", "video", *map(str, files), "--out", str(out)])
    assert shown.exit_code == 0
    assert "25.0 %" in shown.output
    assert out.is_file()


def test_a_file_without_boxes_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("name\nx\n")
    with pytest.raises(InputError):
        score_video(files[0], wrong)
