"""Keep freed memory in the process, so that a training step on CPU does not fetch its activations anew each time.

glibc returns large freed blocks to the kernel at once and maps them again, zeroed page by page, in the next step.
With MobileNetV2 at 192 px and a batch of 16 that is a fifth of the step's time (`benchmarks/training_memory.py`).
"""

from __future__ import annotations

import ctypes

# mallopt parameters of glibc's <malloc.h>
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = -1


def keep_freed_memory() -> bool:
    """Tell the C library not to return freed memory before the process ends; False where it is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
