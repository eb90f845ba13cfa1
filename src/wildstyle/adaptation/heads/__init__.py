"""Losses on identity labels: margin rules over class centres, whole or in parts, triplets, and what joins them."""

from __future__ import annotations

from wildstyle.adaptation.heads.centres import class_centres, first_faces
from wildstyle.adaptation.heads.classifier import MarginHead
from wildstyle.adaptation.heads.compatibility import compatibility_loss
from wildstyle.adaptation.heads.head import IdentityHead
from wildstyle.adaptation.heads.partial import PartialHead
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.settings import HeadSettings, build_head
from wildstyle.adaptation.heads.shards import merge_shards, own_state, split_shards, whole_state
from wildstyle.adaptation.heads.symface import frontness, symmetry_loss
from wildstyle.adaptation.heads.touched import move_only_touched_rows
from wildstyle.adaptation.heads.unpg import BatchNegatives

__all__ = [
    "BatchNegatives",
    "HeadSettings",
    "IdentityHead",
    "MarginHead",
    "MarginRule",
    "PartialHead",
    "build_head",
    "class_centres",
    "compatibility_loss",
    "first_faces",
    "frontness",
    "merge_shards",
    "move_only_touched_rows",
    "own_state",
    "split_shards",
    "symmetry_loss",
    "whole_state",
]
