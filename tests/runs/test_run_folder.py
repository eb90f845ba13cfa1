from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, SettingError, StorageError
from wildstyle.runs import RunFolder, inputs_hash
from wildstyle.runs.differences import differing_keys, flat

CONFIG: dict[str, Any] = {"seed": 0, "workers": 2, "synthesis": {"steps": 100, "axes": 8}, "target": ["a.tar"]}


def test_new_folder_holds_the_resolved_configuration(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "deep" / "run", CONFIG)
    assert json.loads((run.path / "config.json").read_text())["config"] == CONFIG
    assert RunFolder.open(run.path).config == CONFIG
    assert run.command == "adapt"


def test_same_configuration_resumes(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    run.finish_stage("ingest", "hash")
    # A tuple comes back from JSON as a list: still the same configuration.
    again = RunFolder.create(tmp_path, {**CONFIG, "target": ("a.tar",)})
    assert again.stage_done("ingest", "hash")


def test_other_configuration_is_refused_and_named(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG)
    other = {**CONFIG, "seed": 1, "synthesis": {"steps": 200, "axes": 8}, "extra": None}
    with pytest.raises(SettingError) as caught:
        RunFolder.create(tmp_path, other)
    text = str(caught.value)
    assert "seed is 0 there, 1 now" in text
    assert "synthesis.steps is 100 there, 200 now" in text
    assert "extra is not set there, None now" in text
    assert "axes" not in text
    assert RunFolder.open(tmp_path).config == CONFIG


def test_other_command_is_refused(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG)
    with pytest.raises(SettingError, match="command"):
        RunFolder.create(tmp_path, CONFIG, command="evaluate")


def test_keys_that_may_differ(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG)
    other = {**CONFIG, "workers": 8, "synthesis": {"steps": 1, "axes": 1}}
    RunFolder.create(tmp_path, other, may_differ=("workers", "synthesis"))
    with pytest.raises(SettingError, match=r"synthesis\.axes"):
        RunFolder.create(tmp_path, other, may_differ=("workers", "synthesis.steps"))


@pytest.mark.parametrize("name", ["thesis.doc", "config.toml", ".git"])
def test_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingError, match="holds something that is no run"):
        RunFolder.create(tmp_path, CONFIG)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_debris_of_a_crash_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".config.json.x1.part").write_text("{")
    RunFolder.create(tmp_path, CONFIG)


def test_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(SettingError, match="is a file"):
        RunFolder.create(tmp_path / "run", CONFIG)


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        RunFolder.create(tmp_path / "file" / "run", CONFIG)


def test_open_needs_a_run_of_this_version(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder"):
        RunFolder.open(tmp_path)
    (tmp_path / "config.json").write_text('{"schema_version": 99, "config": {}}')
    with pytest.raises(InputError, match="schema version 99"):
        RunFolder.open(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("config", ["[]", '{"schema_version": 1}', '{"schema_version": 1, "config": 3}'])
def test_foreign_config_file_is_no_run(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError):
        RunFolder.open(tmp_path)
    with pytest.raises(InputError):
        RunFolder.create(tmp_path, CONFIG)


def test_stage_counts_only_with_same_inputs_and_whole_outputs(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    assert not run.stage_done("synthesis", "h")
    (run.work("synthesis") / "weights.bin").write_bytes(b"12345")
    marker = run.finish_stage("synthesis", "h", summary="done", seconds=2.5, outputs=["work/synthesis"])
    assert marker.outputs == {"work/synthesis": 5}
    assert run.stage_done("synthesis", "h")
    assert not run.stage_done("synthesis", "other")
    (run.work("synthesis") / "weights.bin").write_bytes(b"123")
    assert not run.stage_done("synthesis", "h")
    shutil.rmtree(run.file("work"))
    assert not run.stage_done("synthesis", "h")


def test_stage_without_its_output_is_not_marked(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    with pytest.raises(InputError, match=r"left no recogniser\.onnx"):
        run.finish_stage("export", "h", outputs=["recogniser.onnx"])
    assert run.stage("export") is None


def test_moved_folder_works_and_names_no_place(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "here", CONFIG)
    run.file("faces.tar").write_bytes(b"x")
    run.finish_stage("ingest", "h", outputs=["faces.tar"])
    run.write_metrics("a", {"value": 1})
    run.append_event("started", stage="ingest")
    text = "".join(p.read_text() for p in run.path.rglob("*.json*"))
    assert str(tmp_path) not in text
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = RunFolder.open(tmp_path / "there")
    assert moved.stage_done("ingest", "h")
    assert moved.metrics() == {"a": {"value": 1}}


def test_stages_in_the_order_they_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    times = iter(["2026-01-01T00:00:02Z", "2026-01-01T00:00:01Z"])
    monkeypatch.setattr("wildstyle.runs.folder._now", lambda: next(times))
    run.finish_stage("adaptation", "h")
    run.finish_stage("zebra", "h")
    assert [stage.stage for stage in run.stages()] == ["zebra", "adaptation"]


def test_torn_event_line_is_ignored(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    assert run.events() == []
    run.append_event("one", n=1)
    with open(run.file("events.jsonl"), "ab") as file:
        file.write(b'{"event": "tor')
    run.append_event("two")
    events = run.events()
    assert [event["event"] for event in events] == ["one", "two"]
    assert events[0]["n"] == 1


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", ""])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    run = RunFolder.create(tmp_path / "run", CONFIG)
    with pytest.raises(InputError, match="leads out"):
        run.file(name)


def test_nan_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    run.write_json("metrics/a", {"v": 1})
    with pytest.raises(ValueError, match="JSON"):
        run.write_json("metrics/a", {"v": float("nan")})
    assert run.read_json("metrics/a") == {"v": 1}


def test_sizes(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, CONFIG)
    run.file("work/a").mkdir(parents=True)
    run.file("work/a/x").write_bytes(b"123")
    run.file("work/y").write_bytes(b"12")
    sizes = run.sizes()
    assert sizes["work"] == 5
    assert sizes["config.json"] == run.file("config.json").stat().st_size
    assert RunFolder(tmp_path / "missing").sizes() == {}


def test_hash_of_inputs() -> None:
    assert inputs_hash({"a": 1, "b": (1, 2)}) == inputs_hash({"b": [1, 2], "a": 1})
    assert inputs_hash({"a": 1}) != inputs_hash({"a": 1.5})
    assert inputs_hash(1, 2) != inputs_hash([1, 2])


VALUES = st.none() | st.booleans() | st.integers(0, 2)
TABLES = st.dictionaries(st.sampled_from("ab"), VALUES | st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(TABLES, TABLES)
def test_differences_are_empty_only_for_equal_configurations(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert differing_keys(one, one) == []
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (differing_keys(one, other) == []) == same


def test_true_is_not_one() -> None:
    assert differing_keys({"a": True}, {"a": 1}) == ["a is True there, 1 now"]


def test_flat() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}
