"""InsightFace and MXNet record files (``.rec`` with ``.idx``), read without mxnet.

Two kinds are in use. In the *identity kind* record 0 is a header whose labels (a, b) say that the keys
1 to a-1 are images and a to b-1 are people. In the *plain kind* every key is an image, 0 included.

Labels are float32 in both: integers above 2**24 are rounded, so such a file can't say whom it means.
"""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError, LabelError, UnreadableFace
from wildstyle.faces.decode import MAX_ENCODED_BYTES
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.record_index import read_index, scan_index
from wildstyle.faces.record_parts import Payload, read_payload
from wildstyle.faces.source import FaceSource

LARGEST_EXACT = 2**24
