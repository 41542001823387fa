"""Weights on the disk: safetensors files that carry a digest of themselves, so that damage is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.files import check_regular, write_bytes

METADATA, DIGEST = "__metadata__", "sha256"


def write_weights(path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, with `metadata` and the digest of names, shapes and values.

    Equal tensors and metadata give equal files. Raises `InputError` when the disk is full.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header, values = _parts(save(plain))
    header[METADATA] = {**(metadata or {}), DIGEST: _digest(header, values)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, len(text).to_bytes(8, "little") + text + values)


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises `InputError` when it is absent, not such a file, or no longer what was written; a file of another program
    carries no digest and is taken as it is.
    """
    path = Path(path)
    try:
        check_regular(path)
        content = path.read_bytes()
        header, values = _parts(content)
        stated = header.get(METADATA, {}).get(DIGEST)
        tensors = load(content)
    except FileNotFoundError:
        raise InputError("no such weights file", remedy="give the path of a .safetensors file", path=path) from None
    except (OSError, ValueError, AttributeError, SafetensorError) as error:
        remedy = "copy, download, convert or train it again"
        raise InputError(f"is not a readable safetensors file ({error})", remedy=remedy, path=path) from None
    if stated is not None and stated != _digest(header, values):
        raise InputError("was damaged after it was written", remedy="copy or train it again", path=path)
    return tensors


def read_metadata(path: Path) -> Mapping[str, str]:
    """What `write_weights` was given beside the tensors, of which only the names and the length are looked at.

    Raises `InputError` when the file is absent or not such a file.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            return opened.metadata() or {}
    except FileNotFoundError:
        raise InputError("no such weights file", remedy="restore it", path=path) from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"is not a readable safetensors file ({error})", remedy="restore it", path=path) from None


def _parts(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the bytes of the values (https://github.com/huggingface/safetensors, "Format")."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), memoryview(content)[start:]


def _digest(header: Mapping[str, Any], values: memoryview) -> str:
    described = {name: entry for name, entry in header.items() if name != METADATA}
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    found.update(values)
    return found.hexdigest()
