"""Benchmarks in the file layouts in which they are handed out."""

from __future__ import annotations

from wildstyle.faces.layouts.fanvid import VideoBoxes, read_video_boxes
from wildstyle.faces.layouts.ijb import IjbLayout, TemplateList, ijb_kind, open_ijb_faces, read_ijb
from wildstyle.faces.layouts.ijbs import IjbsLayout, looks_like_ijbs, open_ijbs_faces, read_ijbs
from wildstyle.faces.layouts.survface import (
    SurvFaceLayout,
    SurvFacePairs,
    has_survface_pairs,
    looks_like_survface,
    open_survface_faces,
    open_survface_pair_faces,
    read_survface,
    read_survface_pairs,
)
from wildstyle.faces.layouts.tinyface import TinyFaceLayout, looks_like_tinyface, open_tinyface_faces, read_tinyface

__all__ = [
    "IjbLayout",
    "IjbsLayout",
    "SurvFaceLayout",
    "SurvFacePairs",
    "TemplateList",
    "TinyFaceLayout",
    "VideoBoxes",
    "has_survface_pairs",
    "ijb_kind",
    "looks_like_ijbs",
    "looks_like_survface",
    "looks_like_tinyface",
    "open_ijb_faces",
    "open_ijbs_faces",
    "open_survface_faces",
    "open_survface_pair_faces",
    "open_tinyface_faces",
    "read_ijb",
    "read_ijbs",
    "read_survface",
    "read_survface_pairs",
    "read_tinyface",
    "read_video_boxes",
]
