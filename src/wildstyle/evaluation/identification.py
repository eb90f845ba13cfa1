"""Templates against a gallery: verification, closed-set and open-set identification from a manifest.

* Verification: each probe against its own person (mated) and against everybody else in the gallery (impostors).
* Closed set: rank of the own person among all people of the gallery, over probes whose person is there.
* Open set (watch list): only enrolled people are in the gallery. FPIR is the share of the non-mated probes with
  *any* candidate above the threshold; TPIR the share of the mated probes whose person comes first *and* lies above
  it (ISO/IEC 19795-1; Grother and Ngan, NISTIR 8009, on the two-number form).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import LabelError, SettingError
from wildstyle.evaluation.curves import cmc_curve, curves_of, open_set_curve
from wildstyle.evaluation.grouping import RULE as GROUP_RULE
from wildstyle.evaluation.grouping import Groups, impostor_groups, probe_groups
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.old_rules import OLD_RULES, FmrRule, old_rules
from wildstyle.evaluation.operating import at_threshold, by_group, sources_by_group
from wildstyle.evaluation.outcome import Outcome, Vectors
from wildstyle.evaluation.pooling import PLAIN_MEAN, PoolingRule
from wildstyle.evaluation.qualities import FacesSeen, discard_curves
from wildstyle.evaluation.rates import STRICT_RULE, first_measurable, rate_name
from wildstyle.evaluation.search import KEPT_IMPOSTORS, Search
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.evaluation.templates import Templates
from wildstyle.evaluation.trial import Trial
from wildstyle.faces.row import ManifestRow

VERSION = "1"

RULES = {
    "fmr_rule": STRICT_RULE,
    "fpir_rule": "strict, on the highest score of each non-mated probe; a hit also needs rank 1",
    "flip": "none",
    "ties": "against the system: the mate ranks last among equals",
    "failures": "a failed probe is a miss and gives no impostor score; failed gallery faces are left out of the "
    "template, a person without any is not found; groups other than 'all' leave failed probes out",
    "comparisons": "cosine, float32; each probe against the whole gallery; mated ones only across media",
    "distractors": "one template each, added to the closed-set gallery",
}


@dataclass(frozen=True, slots=True)
class IdentificationOptions:
    """What to ask of a manifest.

    Attributes:
        bands: rising edges in px that split probes by ``min_side``; none of them: no bands.
        ranks: ranks of the closed set.
        fmr_targets: FMRs of the verification part.
        fpir_targets: FPIRs of the open-set part.
        by: further columns whose values make groups, ``"media"`` or an attribute.
        same_media: count mated comparisons inside one medium instead of refusing them; the figures then say how
            well frames of one film are told, not people.
        pooling: how much each face of a template counts.
        fmr_rule: ``nearest`` or ``kth`` give old tables' figures beside the strict ones, without intervals.
        threshold: score from which on a deployed system accepts; its errors are then told too.
        discard_by: qualities for error-versus-discard curves: ``min_side``, ``eye_distance``, ``detector_score``,
            ``norm`` (length of the embedding) or an attribute that holds numbers; higher is better.
    """

    bands: tuple[float, ...] = (40, 80)
    ranks: tuple[int, ...] = (1, 5)
    fmr_targets: tuple[float, ...] = (1e-2, 1e-3)
    fpir_targets: tuple[float, ...] = (1e-2, 1e-1)
    by: tuple[str, ...] = ()
    same_media: bool = False
    pooling: PoolingRule = PLAIN_MEAN
    fmr_rule: FmrRule = "strict"
    threshold: float | None = None
    discard_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if list(self.bands) != sorted(set(self.bands)):
            raise SettingError(f"edges of bands must rise, not {self.bands}")
        if any(rank < 1 for rank in self.ranks):
            raise SettingError(f"ranks start at 1, not {self.ranks}")
        if self.fmr_rule not in get_args(FmrRule):
            raise SettingError(f"fmr rule {self.fmr_rule!r} is unknown", remedy="use strict, nearest or kth")


@dataclass(frozen=True, kw_only=True)
class IdentificationOutcome(Outcome):
    """Raw results of T probes.

    Attributes:
        probes: the probe templates.
        ok: (T,) bool, False for failed probes.
        mated: (T,) bool, whether the probe's person is in the closed-set gallery.
        mate: (T,) float32 score of the own person, minus infinity for failed and non-mated probes.
        best_other: (T,) float32 best score of another person.
        ranks: (T,) int64 rank of the own person from 1; 0 for failed and non-mated probes.
    """

    probes: Templates
    ok: NDArray[np.bool_]
    mated: NDArray[np.bool_]
    mate: NDArray[np.float32]
    best_other: NDArray[np.float32]
    ranks: NDArray[np.int64]


def evaluate_identification(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    rows: Sequence[ManifestRow],
    *,
    data: str = "manifest",
    distractors: Vectors | None = None,
    options: IdentificationOptions | None = None,
    norms: NDArray[np.float32] | None = None,
) -> IdentificationOutcome:
    """Run the manifest protocol.

    Args:
        vectors: (R, D) float32 unit embeddings, one a row; rows of failed faces hold anything.
        ok: (R,) bool, False where there is no embedding.
        rows: R rows with the roles ``gallery`` and ``probe``.
        data: name of the set, for the result.
        distractors: (M, D) float32 unit embeddings of people who are in no probe.
        options: see ``IdentificationOptions``.
        norms: (R,) float32 lengths of the embeddings, for rules and qualities that use them.

    Raises:
        InputError: shapes disagree, a role is missing, or embeddings are not of unit length.
        LabelError: a template of two people, contradicting enrolment, or a probe from its own gallery's medium.
    """
    options = options or IdentificationOptions()
    trial = Trial.of(vectors, ok, rows, distractors, rule=options.pooling, norms=norms)
    shared = _sharing_media(trial, rows, options)
    groups = probe_groups(trial.probes, rows, np.asarray(ok, bool), options.bands, options.by)
    closed, top = trial.search(trial.in_gallery, impostors_kept=KEPT_IMPOSTORS)
    impostors = Impostors.crossed(top, trial.probes_per_person(), trial.candidates_per_person())
    ranks = np.where(trial.probes.ok & trial.mated, closed.ahead + 1, 0)
    verification = _Verification.of(trial, closed, impostors, groups)
    opened = _open_set(trial, groups, options)
    return IdentificationOutcome(
        protocol="identification",
        version=VERSION,
        data=data,
        rules=_rules(options),
        counts=trial.counts() | {"impostor comparisons": impostors.total, "probes sharing a medium": shared},
        people=trial.names,
        questions=(
            *_closed_set(trial, closed, groups, options),
            *verification.questions(options),
            *(opened.questions(options) if opened else ()),
            *verification.at_thresholds(trial, rows, options),
            *(opened.at_threshold(options) if opened else ()),
        ),
        fixed=old_rules(verification.mated.values, impostors, options.fmr_targets, options.fmr_rule),
        curves=(
            *curves_of(verification.mated.values, impostors),
            *(open_set_curve(opened.mated, opened.impostors) if opened else ()),
            *cmc_curve(ranks[trial.mated], int(trial.in_gallery.sum())),
            *discard_curves(
                trial,
                verification.mated,
                impostors,
                FacesSeen(rows, np.asarray(ok, bool), norms),
                options.discard_by,
                options.fmr_targets,
            ),
        ),
        probes=trial.probes,
        ok=trial.probes.ok,
        mated=trial.mated,
        mate=closed.mate,
        best_other=closed.best_other,
        ranks=ranks,
    )


def _rules(options: IdentificationOptions) -> dict[str, str]:
    rules = RULES | {"pooling": f"{options.pooling.rule}; a person's score is the best of the templates"}
    if options.fmr_rule != "strict":
        rules["fmr_rule"] += f"; beside it {OLD_RULES[options.fmr_rule]}"
    if options.by:
        rules["groups"] = GROUP_RULE
    if options.same_media:
        rules["comparisons"] = "cosine, float32; each probe against the whole gallery; mated ones inside a medium too"
    return rules


def _closed_set(trial: Trial, closed: Search, groups: Groups, options: IdentificationOptions) -> list[Question]:
    found = np.isfinite(closed.mate)
    galleries = [("", closed.ahead)]
    if trial.distractors is not None:
        galleries.append((" with distractors", closed.ahead + trial.distractors_ahead(closed.mate)))
    part, groups = trial.mated, _among(groups, trial.mated)

    def hits(ahead: NDArray[np.int64], rank: int) -> Items:
        return Items((found & (ahead < rank))[part].astype(np.float32), trial.probe_people[part])

    return [
        Question(f"rank-{rank}{suffix}", hits(ahead, rank), groups)
        for suffix, ahead in galleries
        for rank in options.ranks
    ]


@dataclass(frozen=True)
class _Verification:
    """Scores of probes against the gallery; (M,) mated ones with their groups, and all impostors."""

    mated: Items
    groups: Groups
    impostors: Impostors
    everybody: Groups

    @classmethod
    def of(cls, trial: Trial, closed: Search, impostors: Impostors, groups: Groups) -> _Verification:
        part = trial.mated
        rows = np.flatnonzero(part)
        mated = Items(closed.mate[part], trial.probe_people[part], rows=rows)
        return cls(mated, _among(groups, part), impostors, groups)

    def questions(self, options: IdentificationOptions) -> list[Question]:
        return [
            Question(f"tar@fmr={rate_name(t)}", self.mated, self.groups, self.impostors, t) for t in options.fmr_targets
        ]

    def at_thresholds(
        self, trial: Trial, rows: Sequence[ManifestRow], options: IdentificationOptions
    ) -> list[Question]:
        """Errors at the given threshold; and where groups were asked for, their errors at the threshold of all."""
        if not options.by and options.threshold is None:
            return []
        found: list[Question] = []
        sources = impostor_groups(trial, self.impostors, rows, self.everybody, options.by)
        if options.by:
            found += by_group(
                (self.mated, self.groups), sources, first_measurable(options.fmr_targets, self.impostors.total)
            )
        if options.threshold is not None:
            found += at_threshold("verification", (self.mated, self.groups), sources, options.threshold)
        return found


@dataclass(frozen=True)
class _OpenSet:
    """Searches in the watch list: first-ranked mates with their groups, and the best score of each non-mated probe."""

    mated: Items
    groups: Groups
    impostors: Impostors
    strangers: Groups

    def questions(self, options: IdentificationOptions) -> list[Question]:
        return [
            Question(f"tpir@fpir={rate_name(t)}", self.mated, self.groups, self.impostors, t)
            for t in options.fpir_targets
        ]

    def at_threshold(self, options: IdentificationOptions) -> Sequence[Question]:
        if options.threshold is None:
            return ()

        def part(mask: NDArray[np.bool_]) -> Impostors:
            return Impostors.of(self.impostors.scores.take(np.flatnonzero(mask)))

        sources = sources_by_group(self.impostors, part, self.strangers)
        return at_threshold("open set", (self.mated, self.groups), sources, options.threshold)


def _open_set(trial: Trial, groups: Groups, options: IdentificationOptions) -> _OpenSet | None:
    if not trial.enrolled.any():
        return None
    opened, _ = trial.search(trial.enrolled)
    listed, others = trial.on_list, ~trial.on_list & trial.probes.ok
    first = np.where(opened.ahead == 0, opened.mate, np.float32(-np.inf))
    items = Items(first[listed], trial.probe_people[listed])
    impostors = Impostors.of(Items(opened.best_other[others], trial.probe_people[others]))
    return _OpenSet(items, _among(groups, listed), impostors, _among(groups, others))


def _sharing_media(trial: Trial, rows: Sequence[ManifestRow], options: IdentificationOptions) -> int:
    shared = trial.sharing_media(rows)
    if shared and not options.same_media:
        raise LabelError(
            f"{shared} probes come from the same film, take or camera-day as their person's gallery",
            remedy="take gallery and probes from different media, or allow it and don't trust the figures",
        )
    return shared


def _among(groups: Groups, part: NDArray[np.bool_]) -> Groups:
    """Groups of the probes in ``part``; empty ones are left out."""
    inside = {name: mask[part] for name, mask in groups.items()}
    return {name: mask for name, mask in inside.items() if name == "all" or mask.any()}
