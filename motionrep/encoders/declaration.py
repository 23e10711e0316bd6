"""What has to be fed to an encoder, in words and numbers that need no motionrep to be understood."""

from typing import Literal

import torch

from motionrep.layouts import COCO_17, CocoRecipe, JointLayout, to_h36m_17

Normalisation = Literal["width", "crop"]

NORMALISATION_FORMULAS: dict[str, str] = {
    "width": "x_px / width_px * 2 - 1 and y_px / width_px * 2 - height_px / width_px",
    "crop": "x and y in one square about all seen joints of the clip, whose side is crop_ratio times theirs, "
    "from -1 to 1 in it",
}

BONE_FORMULA = "after that, x and y of each joint minus those of its parent, and the smaller confidence of both"


def coco_weights(layout: JointLayout, recipe: CocoRecipe) -> dict[str, dict[str, dict[str, float]]]:
    """The weights of the COCO-17 keypoints that make each joint of the layout, for x and for y.

    Joints that are left out are COCO's joints of the same name.
    """
    joints = COCO_17.joint_count
    one_at_a_time = torch.eye(joints)[..., None].expand(joints, joints, 2)
    made, _ = to_h36m_17(one_at_a_time, torch.ones(joints, joints), COCO_17, recipe)  # coco h36m 2
    weights = {
        axis: {
            joint: {source: round(float(w), 6) for source, w in zip(COCO_17.joints, column, strict=True) if w}
            for joint, column in zip(layout.joints, made[..., index].T, strict=True)
        }
        for index, axis in enumerate("xy")
    }
    return {
        axis: {joint: parts for joint, parts in made_of.items() if parts != {joint: 1.0}}
        for axis, made_of in weights.items()
    }
