"""The pose and mesh heads of published checkpoints of MotionBERT and MotionAGFormer, as heads that predict clips.

They are for checkpoints as they are; to train one further, train a head of motionrep on its encoder.
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.body.loading import load_body_model
from motionrep.encoders.motionbert_heads import MotionBERTMesh
from motionrep.geometry.cameras import PinholeCamera, require_picture, translation_from_keypoints
from motionrep.head_api.contract import float32_inference, representation_of, require_same_encoder
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding

# Mean lengths of Human3.6M's bones, pelvis outwards, by the joint at their end; metres.
_BONES_M = {
    "hip": 0.133, "knee": 0.443, "ankle": 0.454, "spine": 0.233, "thorax": 0.257, "nose": 0.121, "head": 0.115,
    "shoulder": 0.151, "elbow": 0.279, "wrist": 0.252,
}  # fmt: skip


class PublishedPose(nn.Module):
    """A pose head that gives no metres: x and y in units of its normalised keypoints, and depth alike.

    Poses are scaled, by one factor for a clip, so that the bones are together as long as Human3.6M's people's are.
    """

    trained_on: str | None = None

    def __init__(self, position: nn.Module) -> None:
        super().__init__()
        self.position, self.config = position, {}

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        pose = self.position(representation).float()
        pose = pose - pose[:, :, :1]
        ends = [(joint, parent) for joint, parent in enumerate(H36M_17.parent_indices) if parent >= 0]
        length = sum((pose[:, :, joint] - pose[:, :, parent]).norm(dim=-1) for joint, parent in ends)
        names = [H36M_17.joints[joint].removeprefix("left_").removeprefix("right_") for joint, _ in ends]
        mean = (length * valid).sum(1) / valid.sum(1)
        scale = sum(_BONES_M[name] for name in names) / mean.clamp(min=1e-6)
        return {"position_m": pose * scale[:, None, None, None]}

    @float32_inference
    def predict(
        self, embedding: MotionEmbedding, frame: Literal["root", "camera"] = "root", camera: PinholeCamera | None = None
    ) -> JointMotion:
        """The 17 joints in metres; `frame` and `camera` as those of the head `pose3d`."""
        require_same_encoder(self, embedding)
        position_m, clip = self(*representation_of(embedding))["position_m"][0], embedding.keypoints
        if frame == "camera":
            position_m = position_m + _place(position_m, clip, camera)[:, None]
        return JointMotion(position_m, H36M_17, embedding.fps, frame, clip.first_frame)


class PublishedMesh(nn.Module):
    """MotionBERT's mesh head, on a SMPL file of the user's.

    Args:
        body: What `load_body_model` takes.
    """

    trained_on: str | None = None

    def __init__(self, mesh: MotionBERTMesh, body: str) -> None:
        super().__init__()
        self.mesh, self.config = mesh, {}
        self.body = load_body_model(body)
        self.body_model = self.body.name

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        found = self.mesh(representation)
        return {"local_rotmat": found["rotmat"], "betas": found["betas"][:, 0]}

    @float32_inference
    def predict(self, embedding: MotionEmbedding, camera: PinholeCamera | None = None) -> BodyMotion:
        """The person in camera axes, placed where the posed body best covers the keypoints."""
        require_same_encoder(self, embedding)
        output, clip = self(*representation_of(embedding)), embedding.keypoints
        rotmat, betas = output["local_rotmat"][0], output["betas"][0]
        point_m = self.body.points(H36M_17, rotmat, betas, rotmat.new_zeros(len(rotmat), 3))
        place_m = _place(point_m, clip, camera)
        return BodyMotion(
            rotmat, place_m, betas, self.body_model, embedding.fps, "camera", first_frame=clip.first_frame
        )


def _place(point_m: Tensor, clip: Keypoints, camera: PinholeCamera | None) -> Float[Tensor, "frames 3"]:
    camera = camera or PinholeCamera.from_hfov(clip.width_px, clip.height_px)
    require_picture(camera, clip.width_px, clip.height_px)
    return translation_from_keypoints(point_m, clip.xy_px, clip.confidence, camera)
