"""The doctor: why is my number low? It tries the usual causes on the user's own data."""

from __future__ import annotations

from wildstyle.verbs.doctoring.examining import DoctorJob, doctor
from wildstyle.verbs.doctoring.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "DoctorJob", "Finding", "doctor"]
