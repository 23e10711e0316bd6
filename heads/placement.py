"""Places a predicted pose in front of the camera, where its keypoints are."""

from jaxtyping import Float
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera, require_picture, translation_from_keypoints
from motionrep.types import Keypoints


def translation_to_keypoints(
    points_m: Float[Tensor, "frames 17 3"], clip: Keypoints, camera: PinholeCamera | None
) -> Float[Tensor, "frames 3"]:
    """The translation in camera axes, metres, by which Human3.6M-17 points best cover the keypoints of a clip.

    Args:
        points_m: Points in camera axes, of which the place does not matter.
        camera: The camera that took the clip; None assumes a horizontal field of view of 50 degrees.

    Raises:
        ValueError: The camera takes pictures of another size than the keypoints'.
    """
    camera = camera or PinholeCamera.from_hfov(clip.width_px, clip.height_px)
    require_picture(camera, clip.width_px, clip.height_px)
    return translation_from_keypoints(points_m, clip.xy_px, clip.confidence, camera)
