"""An example of each message of the API, by the message's name, and of what is named in its addresses."""

from __future__ import annotations

from typing import Any

_CASE, _DROP, _FILE = "9dc62d2e861adff21209", "6f1c2a9b0d3e4f58", "0b7d1e5f2a3c4d69"
_AT = "2026-11-30T10:15:00Z"
_MODEL = "5f0c6f1a9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a392817060504"
_OUTLINE = [[120.0, 84.5], [168.25, 90.0], [160.0, 131.0], [118.5, 126.0]]
_PLACE = {"side": "left", "clock": 10, "nipple_mm": 35.0}

_FILE_INFO = {"id": _FILE, "name": "scan 1.png", "size": 184203, "problem": None, "remarks": []}
_MOVED = {"descriptor": "depth_width_ratio", "words": "taller than wide", "value": 1.12, "change": 0.14}
_ANSWER = {
    "decision": "malignant",
    "probabilities": {"benign": 0.08, "malignant": 0.91, "normal": 0.01},
    "calibrated": True,
    "possible": ["malignant"],
    "moved_by": [_MOVED],
}
_VALUE = {"name": "depth_width_ratio", "title": "depth / width", "value": 1.12, "unit": ""}
_LESION = {
    "number": 1,
    "outline": _OUTLINE,
    "area": 142.5,
    "long_axis": 15.1,
    "short_axis": 11.9,
    "unit": "mm",
    "probability": 0.97,
    "touches_edge": False,
    "words": {"shape": "irregular", "orientation": "not parallel"},
    "values": [_VALUE],
}
_CANDIDATE = {
    "number": 1,
    "centre": [148.5, 251.0, 430.5],
    "score": 0.93,
    "volume_mm3": 5210.4,
    "malignant": 0.81,
    "touches_edge": False,
    "words": {"shape": "irregular", "orientation": "not parallel"},
    "values": [_VALUE],
}
_SUMMARY = {
    "id": _CASE,
    "drop": _DROP,
    "name": "scan 1.png",
    "patient": "1f0a2b3c4d5e6f70",
    "kind": "image",
    "status": "signed",
    "problem": None,
    "decision": "malignant",
    "malignant": 0.91,
    "verdict": "corrected",
    "birads": "4C",
    "read_again": 1,
    "clip_id": None,
    "frame": None,
    "made": _AT,
}
_READING = {
    "version": 2,
    "made": _AT,
    "verdict": "corrected",
    "outlines": [_OUTLINE],
    "birads": "4C",
    "note": "spiculated margin",
    "reader": "Dr. Anna Example",
    "signed": _AT,
    **_PLACE,
}
_MEASURED = {"lesions": [_LESION], "answer": _ANSWER}
_ADDENDUM = {"made": _AT, "reader": "Dr. Anna Example", "text": "seen again after biopsy"}
_SECOND = {
    "made": _AT,
    "reader": "Dr. Berta Example",
    "verdict": "accepted",
    "outlines": None,
    "birads": "4B",
    "note": "",
}
_SIMILAR = {"source": "busi", "class_name": "malignant", "distance": 0.83}
_FLAG = {"kind": "cut_off"}
_EXPLANATION = {"number": 0, "title": "what moved the answer", "class_name": "malignant", "value": "0.91"}
_FRAME = {
    "number": 12,
    "decision": "malignant",
    "malignant": 0.91,
    "outlines": [_OUTLINE],
    "lesions": [1],
    "problem": None,
    "case": None,
}
_CLIP_LESION = {
    "number": 1,
    "decision": "malignant",
    "malignant": 0.91,
    "frames": 18,
    "best": 12,
    "why": "the largest outline of a clear frame",
    "area": 142.5,
    "long_axis": 15.1,
    "short_axis": 11.9,
}
_FIGURE = {"value": 0.78, "interval": [0.64, 0.9], "n": 120}
_POINT = {"case": _CASE, "mean": 14.8, "difference": -0.4}
_DIAMETERS = {
    "unit": "mm",
    "bias": -0.2,
    "bias_interval": [-0.5, 0.1],
    "limits": [-3.1, 2.7],
    "lower_interval": [-3.9, -2.4],
    "upper_interval": [2.1, 3.4],
    "points": [_POINT],
}
_PAIR = {
    "first": "reader",
    "second": "model",
    "cases": 120,
    "kappa": _FIGURE,
    "advised": [[48, 6], [7, 59]],
    "dice": _FIGURE,
    "same_outline": 31,
    "diameters": [_DIAMETERS],
}
_ACCOUNT = {
    "name": "anna",
    "full_name": "Dr. Anna Example",
    "role": "reader",
    "is_open": True,
    "is_first_password": False,
    "made": _AT,
}
_PERSON = {"name": "anna", "full_name": "Dr. Anna Example", "role": "reader", "must_change": False}
_TOKEN = {"id": "0a1b2c3d4e5f6071", "title": "nightly export", "made": _AT, "ends": None}

NAMED_EXAMPLES: dict[str, Any] = {
    "case_id": _CASE,
    "drop_id": _DROP,
    "upload_id": _FILE,
    "patient": _SUMMARY["patient"],
    "name": "anna",
    "token_id": _TOKEN["id"],
    "number": 0,
    "kind": "pdf",
    "part": "first",
    "Upload-Offset": 0,
    "case": _CASE,
    "before": 1200,
    "most": 100,
    "order": "newest",
    "state": "kX2v…",
    "code": "0a1b…",
}

EXAMPLES: dict[str, Any] = {
    "About": {
        "version": "0.1.0",
        "model": "bustle reference model",
        "model_digest": _MODEL,
        "classes": ["benign", "malignant", "normal"],
        "refer_band": [0.2, 0.62],
        "lesion_band": None,
        "most_bytes": 2_000_000_000,
        "disclaimer": "For research; no medical device.",
    },
    "AccountChange": {"role": "reviewer", "is_open": None},
    "AccountInfo": _ACCOUNT,
    "AddendumInfo": _ADDENDUM,
    "Agreement": {"signed": 120, "pairs": [_PAIR]},
    "AnswerInfo": _ANSWER,
    "AuditLine": {
        "id": 1199,
        "at": _AT,
        "person": "anna",
        "deed": "case exported",
        "case": _CASE,
        "detail": {"version": 2, "kind": "pdf"},
    },
    "CaseDetail": {
        **_SUMMARY,
        "width": 485,
        "height": 537,
        "spacing_mm": [0.1, 0.1],
        "answer": _ANSWER,
        "model_digest": _MODEL,
        "lesions": [_LESION],
        "flags": [_FLAG],
        "similar_cases": [_SIMILAR],
        "explanations": [_EXPLANATION],
        "exports": ["png", "json", "pdf", "seg", "sr"],
        "version": 2,
        "reading": _READING,
        "measured": _MEASURED,
        "addenda": [_ADDENDUM],
        "second_readings": [_SECOND],
    },
    "CaseSummary": _SUMMARY,
    "CandidateInfo": _CANDIDATE,
    "ClipInfo": {
        "unit": "mm",
        "spacing_mm": [0.1, 0.1],
        "width": 485,
        "height": 537,
        "frames": [_FRAME],
        "lesions": [_CLIP_LESION],
        "decided_by": 1,
        "best": 12,
    },
    "ClipLesionInfo": _CLIP_LESION,
    "Credentials": {"name": "anna", "password": "four quiet words here"},
    "DiameterAgreement": _DIAMETERS,
    "DiameterPair": _POINT,
    "DropInfo": {"id": _DROP, "state": "running", "done": 3, "total": 12, "reason": None, "files": [_FILE_INFO]},
    "DroppedFileInfo": _FILE_INFO,
    "ExplanationInfo": _EXPLANATION,
    "Figure": _FIGURE,
    "FirstPassword": {"name": "anna", "password": "k3mp-9xtw-hq2v-77rd"},
    "Flag": _FLAG,
    "SimilarTrainingCase": _SIMILAR,
    "FrameInfo": _FRAME,
    "LesionInfo": _LESION,
    "Measured": _MEASURED,
    "MeasuredValue": _VALUE,
    "Moved": _MOVED,
    "NewAccount": {"name": "anna", "full_name": "Dr. Anna Example", "role": "reader"},
    "NewAddendum": {"text": "seen again after biopsy", "reader": None},
    "NewDrop": {"id": _DROP},
    "NewPassword": {"old": "k3mp-9xtw-hq2v-77rd", "new": "four quiet words here"},
    "NewReading": {
        "version": 0,
        "verdict": "corrected",
        "outlines": [_OUTLINE],
        "birads": "4C",
        "note": "spiculated margin",
        **_PLACE,
    },
    "NewSecondReading": {"verdict": "accepted", "outlines": None, "birads": "4B", "note": "", "reader": None},
    "NewToken": {"title": "nightly export", "days": 90},
    "NewUpload": {"name": "clip.mp4", "size": 734_003_200},
    "OutlinesToMeasure": {"outlines": [_OUTLINE]},
    "PairAgreement": _PAIR,
    "PatientCases": {"patient": _SUMMARY["patient"], "cases": [_CASE]},
    "PatientNumber": {"number": "4711"},
    "PersonInfo": _PERSON,
    "Problem": {"detail": "there is no such case", "code": "no-case", "values": {}},
    "ReadingInfo": _READING,
    "SecondReadingInfo": _SECOND,
    "SessionInfo": {
        "person": _PERSON,
        "csrf": "2f1e0d9c8b7a69584736251403f2e1d0",
        "has_accounts": True,
        "has_provider": False,
        "refused": None,
    },
    "Signature": {"version": 1, "reader": None},
    "TokenInfo": _TOKEN,
    "TokenSecret": {**_TOKEN, "secret": "bustle_8sJ2kQ…"},
    "UploadInfo": {"id": _FILE, "size": 734_003_200, "sent": 104_857_600, "file": None},
    "VolumeInfo": {
        "size": [300, 682, 865],
        "spacing_mm": [0.475, 0.12, 0.2],
        "is_read": True,
        "has_mask": True,
        "candidates": [_CANDIDATE],
    },
}
