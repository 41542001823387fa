"""What Ray and the processes of its cluster say of a failure, as a line that a person can act on."""

from __future__ import annotations

from bustle.core.errors import InputError

GO_ON = "go on with the same command and --resume"


def not_started(error: Exception, *, address: str | None) -> InputError:
    """For whatever Ray says when it cannot be reached at `address`, or does not start on this machine (None)."""
    from ray.exceptions import AuthenticationError

    told = _shortened(error)
    if address is None:
        return InputError(
            f"Ray does not start on this machine ({told})",
            remedy="run the command again when the machine is less busy, or leave out --engine ray",
        )
    if isinstance(error, AuthenticationError):
        return InputError(
            f"the Ray cluster at {address} asks for its token ({told})",
            remedy="set RAY_AUTH_MODE=token, and copy the cluster's ~/.ray/auth_token to this machine",
        )
    return InputError(
        f"no Ray cluster answers at {address} ({told})",
        remedy="start it with `ray start`, with the versions of Python and Ray that are here, or leave out --address",
    )


def told(error: Exception) -> Exception:
    """An `InputError` for what a cluster or its machines lack; a mistake of bustle's own as it is."""
    from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError

    if isinstance(error, ObjectStoreFullError):
        return InputError(
            "the object store of a machine of the cluster is full",
            remedy=f"start the cluster with more (`ray start --object-store-memory BYTES`), and {GO_ON}",
        )
    if isinstance(error, OutOfDiskError):
        return InputError(
            "the disk with Ray's temporary files is full on a machine of the cluster",
            remedy=f"free some space, or start the cluster with `ray start --temp-dir` elsewhere, and {GO_ON}",
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # Ray's, and PyTorch's of a GPU
        return InputError(
            "the work does not fit into the memory of a machine of the cluster",
            remedy=f"use fewer --workers, or machines with more memory, and {GO_ON}",
        )
    if isinstance(error, RayError):
        return InputError(
            f"the Ray cluster has failed ({type(error).__name__}: {_shortened(error)})",
            remedy=f"see with `ray status` that its machines are up, and {GO_ON}",
        )
    return error


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
