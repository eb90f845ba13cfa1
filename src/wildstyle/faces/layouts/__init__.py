"""Benchmarks in the file layouts in which they are handed out."""

from __future__ import annotations

from wildstyle.faces.layouts.ijb import IjbLayout, TemplateList, ijb_kind, open_ijb_faces, read_ijb

__all__ = ["IjbLayout", "TemplateList", "ijb_kind", "open_ijb_faces", "read_ijb"]
