"""Softmax over cosines without a margin (NormFace, Wang et al., ACM Multimedia 2017, arXiv 1704.06369)."""

from __future__ import annotations

from wildstyle.adaptation.heads.rule import MarginRule


class Softmax(MarginRule):
    """Leaves all cosines as they are."""

    title = "softmax"


KINDS = {"softmax": Softmax}
