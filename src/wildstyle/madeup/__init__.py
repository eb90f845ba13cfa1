"""Made-up people: licence-clean faces from our own code, whose identity and degradation are known."""

from wildstyle.madeup.camera import BAD_CAMERA, CLEAN, EVERYDAY, CameraProfile, CameraSettings, degrade
from wildstyle.madeup.datasets import MadeUpSource, WrittenSet, write_made_up_set
from wildstyle.madeup.demo_recogniser import demo_recogniser_path
from wildstyle.madeup.person import MadeUpPerson, person
from wildstyle.madeup.plans import MadeUpSet
from wildstyle.madeup.shot import Shot, ShotOptions, shot

__all__ = [
    "BAD_CAMERA",
    "CLEAN",
    "EVERYDAY",
    "CameraProfile",
    "CameraSettings",
    "MadeUpPerson",
    "MadeUpSet",
    "MadeUpSource",
    "Shot",
    "ShotOptions",
    "WrittenSet",
    "degrade",
    "demo_recogniser_path",
    "person",
    "shot",
    "write_made_up_set",
]
