from __future__ import annotations

import getpass
import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from wildstyle.errors import InputError
from wildstyle.runs import describe_input, gather_provenance
from wildstyle.runs import provenance as module


def test_record_is_json_and_complete(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    record = gather_provenance(
        seeds={"run": 7},
        inputs={"recogniser": tmp_path / "model.onnx", "target": [tmp_path], "detector": None},
        arguments=["adapt", "--seed", "7"],
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["schema_version"] == 1
    assert record["seeds"] == {"run": 7}
    assert record["created"].endswith("Z")
    assert set(record["inputs"]) == {"recogniser", "target"}
    assert record["versions"]["python"] == platform.python_version()
    assert {"torch", "numpy", "onnxruntime", "accelerate", "wildstyle"} <= set(record["versions"])
    assert record["machine"]["cores"] >= 1


def test_nothing_names_the_user_or_the_host() -> None:
    text = json.dumps(gather_provenance(seeds={}))
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert platform.node() not in text or not platform.node()
    assert str(Path.cwd()) not in text
    if getpass.getuser() != "root":
        assert getpass.getuser() not in text


def test_file_is_named_as_given_and_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.bin").write_bytes(b"abc")
    described = describe_input("a.bin")
    assert described == {"given": "a.bin", "bytes": 3, "files": 1, "sha256": hashlib.sha256(b"abc").hexdigest()}


def test_huge_file_is_hashed_at_its_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WHOLE_HASH_BYTES", 8)
    monkeypatch.setattr(module, "_END_BYTES", 3)
    file = tmp_path / "big"
    file.write_bytes(b"abc...xyz")
    first = describe_input(file)
    assert first["sha256_of_ends"] == hashlib.sha256(b"9" + b"abc" + b"xyz").hexdigest()
    file.write_bytes(b"abc...xyZ")
    assert describe_input(file) != first


def test_folder_listing_changes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12")
    first = describe_input(tmp_path)
    assert (first["files"], first["bytes"]) == (1, 2)
    (tmp_path / "a" / "y").write_bytes(b"")
    assert describe_input(tmp_path)["sha256_of_listing"] != first["sha256_of_listing"]


def test_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        describe_input(tmp_path / "nothing")


def test_does_not_import_torch() -> None:
    code = "import sys; from wildstyle.runs import gather_provenance; gather_provenance(seeds={}); "
    code += "sys.exit('torch' in sys.modules or 'wildstyle.training' in sys.modules)"
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False)
    assert done.returncode == 0


def test_commit_only_of_our_own_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Installed into a virtual environment inside somebody's repository.
    elsewhere = tmp_path / "repo" / ".venv" / "site-packages" / "wildstyle" / "runs" / "provenance.py"
    elsewhere.parent.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    monkeypatch.setattr(module, "__file__", str(elsewhere))
    assert module.source_commit() is None
