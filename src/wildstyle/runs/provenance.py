"""Where a result comes from: versions, machine, seeds, inputs.

Nothing here names the user, the host or a folder the user did not name himself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wildstyle.errors import InputError

PROVENANCE_VERSION = 1

_PACKAGES = ("wildstyle", "torch", "numpy", "scipy", "opencv-python-headless", "onnx", "onnxruntime", "accelerate")
# A whole hash up to here; beyond, only both ends, because hashing 60 GB of records takes longer than a short run.
_WHOLE_HASH_BYTES = 4 * 2**30
_END_BYTES = 64 * 2**20


def gather_provenance(
    *,
    seeds: Mapping[str, int],
    inputs: Mapping[str, str | Path | Sequence[str | Path] | None] | None = None,
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """The record that goes into ``provenance.json``.

    Args:
        seeds: every seed of the run by name.
        inputs: files and folders the user named, by what they are for; None entries are left out.
        arguments: the command line as given, without the program's own path.

    Returns:
        JSON values with a ``schema_version``.

    Raises:
        InputError: an input is missing.
    """
    named = {role: _listed(given) for role, given in (inputs or {}).items()}
    return {
        "schema_version": PROVENANCE_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "arguments": list(arguments),
        "seeds": dict(seeds),
        "inputs": {role: [describe_input(path) for path in paths] for role, paths in named.items() if paths},
        "versions": versions(),
        "commit": source_commit(),
        "machine": machine(),
        "threads": threads(),
    }


def describe_input(given: str | Path) -> dict[str, Any]:
    """A file or folder as the user named it, with what proves that it is the same one later.

    Returns:
        ``given``, ``bytes``, ``files`` and, for a file, ``sha256`` (or ``sha256_of_ends`` over the size and the
        first and last 64 MiB where the file has more than 4 GiB); for a folder ``sha256_of_listing`` over the
        sorted relative names and sizes of its files.

    Raises:
        InputError: there is no such file or folder.
    """
    path = Path(given)
    try:
        if path.is_dir():
            return {"given": str(given), **_describe_folder(path)}
        size = path.stat().st_size
        kind = "sha256" if size <= _WHOLE_HASH_BYTES else "sha256_of_ends"
        digest = _whole_hash(path) if kind == "sha256" else _ends_hash(path, size)
        return {"given": str(given), "bytes": size, "files": 1, kind: digest}
    except OSError as error:
        raise InputError("can't be read", where=given, remedy="check the path") from error


def versions() -> dict[str, str]:
    """Versions of Python, of wildstyle and of the libraries that decide figures; "not installed" where missing."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def source_commit() -> str | None:
    """Commit of the checkout the code runs from, "+changes" added where files were edited; None if installed."""
    root = Path(__file__).resolve().parents[3]
    # A virtual environment may lie inside somebody else's repository: only our own layout counts.
    if not ((root / ".git").exists() and (root / "src" / "wildstyle").is_dir()):
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and accelerators; no host or user name."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerators": _accelerators(),
    }


def threads() -> dict[str, Any]:
    """Threads torch uses inside an operator, if torch is loaded, and what the environment asks for."""
    torch = sys.modules.get("torch")
    return {
        "torch": torch.get_num_threads() if torch is not None else None,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def _listed(given: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    if given is None:
        return []
    return [given] if isinstance(given, str | Path) else list(given)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _accelerators() -> list[str]:
    # Looks only where torch is loaded already: provenance must not cost two seconds of import.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _describe_folder(path: Path) -> dict[str, Any]:
    files = sorted(p for p in path.rglob("*") if p.is_file())
    sizes = [p.stat().st_size for p in files]
    listing = "\n".join(f"{p.relative_to(path).as_posix()}\t{size}" for p, size in zip(files, sizes, strict=True))
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    return {"bytes": sum(sizes), "files": len(files), "sha256_of_listing": digest}


def _whole_hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_hash(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()
