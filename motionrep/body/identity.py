"""Says which body a body is, whatever its file is called."""

import hashlib

from motionrep.body.model import BodyModel


def body_digest(body: BodyModel) -> str:
    """sha256 of mesh, shape directions, correctives and weights: the same for a .pkl and the .npz made of it."""
    digest = hashlib.sha256()
    for tensor in (body.faces, *body.stored_arrays()):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def require_same_body(body: BodyModel, digest: str | None, who: str) -> None:
    """Raises ValueError where a body is another one than that of a digest; None is any."""
    if digest is not None and (found := body_digest(body)) != digest:
        raise ValueError(
            f"{who} is for another body (sha256 {digest[:12]}...) than {body.name!r} ({found[:12]}...); put that "
            "body's file in its place, or name it with --body"
        )
