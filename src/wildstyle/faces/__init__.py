"""Pictures and people: readers, records, pairs, manifests and the stream that feeds everything else."""

from wildstyle.faces.decode import decode_image, encode_jpeg, encode_png
from wildstyle.faces.hashing import face_hash
from wildstyle.faces.labels import check_labels, labels_of, require_people, shared_subjects
from wildstyle.faces.manifest import Manifest, ManifestSource, read_manifest, write_manifest
from wildstyle.faces.opening import open_faces
from wildstyle.faces.pairs import PairList, open_pairs, read_lfw_pairs
from wildstyle.faces.record import Face, FaceRecord, Pixels
from wildstyle.faces.row import ManifestRow
from wildstyle.faces.source import FaceSource, Subset
from wildstyle.faces.stream import stream, working_batch

__all__ = [
    "Face",
    "FaceRecord",
    "FaceSource",
    "Manifest",
    "ManifestRow",
    "ManifestSource",
    "PairList",
    "Pixels",
    "Subset",
    "check_labels",
    "decode_image",
    "encode_jpeg",
    "encode_png",
    "face_hash",
    "labels_of",
    "open_faces",
    "open_pairs",
    "read_lfw_pairs",
    "read_manifest",
    "require_people",
    "shared_subjects",
    "stream",
    "working_batch",
    "write_manifest",
]
