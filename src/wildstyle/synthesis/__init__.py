"""Controllable synthesis: good faces as a given bad camera would show them."""

from __future__ import annotations

from wildstyle.synthesis.checkpoint import load_generator, save_generator
from wildstyle.synthesis.codes import clip_magnitude, magnitude_of, sample_codes, sample_seeds
from wildstyle.synthesis.distances import frechet_distance, kernel_distance
from wildstyle.synthesis.fit import FittedGenerator, fit_generator, fit_onto
from wildstyle.synthesis.generator import Generator, GeneratorConfig
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.sheet import style_matrix, style_sheet
from wildstyle.synthesis.statistics import STATISTICS, style_statistics

__all__ = [
    "STATISTICS",
    "FitSettings",
    "FittedGenerator",
    "Generator",
    "GeneratorConfig",
    "StyleGenerator",
    "clip_magnitude",
    "fit_generator",
    "fit_onto",
    "frechet_distance",
    "kernel_distance",
    "load_generator",
    "magnitude_of",
    "sample_codes",
    "sample_seeds",
    "save_generator",
    "style_matrix",
    "style_sheet",
    "style_statistics",
]
