"""One loop for everything that is trained; it knows no faces."""

from __future__ import annotations

from wildstyle.training.company import Company
from wildstyle.training.device import Choice, choose_device
from wildstyle.training.draws import Draw, Draws, processes
from wildstyle.training.durations import parse_duration
from wildstyle.training.loop import train
from wildstyle.training.plan import LoopPlan, LoopResult, Progress
from wildstyle.training.schedule import set_learning_rate, warm_cosine
from wildstyle.training.task import Task

__all__ = [
    "Choice",
    "Company",
    "Draw",
    "Draws",
    "LoopPlan",
    "LoopResult",
    "Progress",
    "Task",
    "choose_device",
    "parse_duration",
    "processes",
    "set_learning_rate",
    "train",
    "warm_cosine",
]
