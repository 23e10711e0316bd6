"""Heads of the open body that give results on another one, by its mapping."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.body.finding import body_folder
from motionrep.body.identity import body_digest
from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.loading import load_head, takes_body, trained_head_name
from motionrep.types import BodyMotion, MotionEmbedding

if TYPE_CHECKING:
    from motionrep.fitting.body_mapping import BodyMapping


class OnBody(nn.Module):
    """A mesh head of the open body whose results are mapped to another body.

    Args:
        head: As `load_head` gives it.
        body: That of the mapping.
    """

    def __init__(self, head: Any, mapping: "BodyMapping", body: BodyModel) -> None:
        super().__init__()
        self.head, self.mapping, self.body = head, mapping, body
        self.trained_on = getattr(head, "trained_on", None)
        self.trained_on_digest = getattr(head, "trained_on_digest", None)

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        output = self.head(representation, valid)
        rotmat, betas = self.mapping.rotations(output["local_rotmat"]), self.mapping.betas(output["betas"])
        return output | {"local_rotmat": rotmat, "betas": betas}

    def predict(
        self,
        embedding: MotionEmbedding,
        camera: PinholeCamera | None = None,
        betas: Float[Tensor, " betas"] | None = None,
    ) -> BodyMotion:
        """The person on the body; arguments and errors as the head's, betas as the body's."""
        return self.mapping.moved(self.head.predict(embedding, camera), self.body, betas)


def mapping_file(body: BodyModel) -> Path:
    """Where `motionrep adapt` keeps the mapping to a body, beside the folder of bodies."""
    return body_folder().parent / "mappings" / f"{body_digest(body)[:32]}.npz"


def head_on(head: str | Path, body: str | Path | None) -> Any:
    """A trained head; on `body`, if that is named: the head's own, or one that the open body has been mapped to.

    Raises:
        FileNotFoundError: No such head or body, or no mapping to the body yet.
        ValueError: As `load_head`; or the head was trained on a third body.
    """
    if body is None or Path(head).is_file() or not takes_body(trained_head_name(head)):
        return load_head(head)
    try:
        trained = load_head(head)
    except FileNotFoundError:  # its body lies elsewhere now
        return load_head(head, body=str(body))
    if trained.body.name != "open" or str(body) == "open":
        return load_head(head, body=str(body))
    model = load_body_model(body)
    path = mapping_file(model)
    if not path.is_file():
        raise FileNotFoundError(
            f"{head}: recovers the open body, and there is no mapping to {body} yet; motionrep adapt --body {body} "
            "makes it in some minutes, motionrep finetune --body trains a head for it"
        )
    from motionrep.fitting.body_mapping import load_mapping  # brings roma, which takes as long as torch to import

    return OnBody(trained, load_mapping(path), model).eval()
