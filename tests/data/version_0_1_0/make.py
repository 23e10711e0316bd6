"""Wrote the files beside it with motionrep 0.1.0 (commit 40fb168): `python make.py FOLDER`.

It does not run with later versions.
"""

import json
import sys
from pathlib import Path

import roma
import torch

import motionrep
from motionrep.camera_io import write_camera
from motionrep.cameras import PinholeCamera
from motionrep.encoders.ktpformer import KTPFormer
from motionrep.head_api import head_class, save_head
from motionrep.layouts import H36M_17, HALPE_26
from motionrep.tables import write_embeddings
from motionrep.types import BodyMotion, JointMotion, Keypoints

out = Path(sys.argv[1])
out.mkdir(parents=True)
torch.manual_seed(0)
encoder = KTPFormer(frames=9, channels=8, depth=1, heads=2, input_channels=3)
encoder.name = "tiny"
encoder.save_pretrained(out / "encoder")
for name, options in (
    ("mesh", {"hidden": 8}),
    ("pose3d", {}),
    ("action", {"labels": ["walk", "jump"], "hidden": 8, "joint_channels": 4}),
):
    save_head(head_class(name)(channels=8, **options), out / name, name, "tiny", encoder_digest=encoder.digest)
g = torch.Generator().manual_seed(1)
clips = []
for i in range(2):
    xy = 500 + 200 * torch.rand(6, 26, 2, generator=g)
    c = torch.rand(6, 26, generator=g)
    c[2] = 0
    clips.append(Keypoints(xy, c, HALPE_26, 25.0, 1920, 1080, f"p{i}", 3 * i))
motionrep.save_keypoints(clips, out / "clips.npz")
motionrep.save_keypoints(clips, out / "clips.json")
rot = roma.rotvec_to_rotmat(0.3 * torch.randn(4, 24, 3, generator=g))
body = BodyMotion(
    rot, torch.randn(4, 3, generator=g), torch.randn(10, generator=g), "open", 30.0, "world", first_frame=7
)
motionrep.save_motion(body, out / "body.npz")
rot55 = torch.eye(3).repeat(2, 55, 1, 1)
motionrep.save_motion(
    BodyMotion(
        rot55, torch.zeros(2, 3), torch.zeros(10), "smplx-neutral", 30.0, "camera", expression=torch.ones(2, 10)
    ),
    out / "body_with_expression.npz",
)
motionrep.save_motion(JointMotion(torch.randn(4, 17, 3, generator=g), H36M_17, 30.0, "root", 2), out / "joints.npz")
write_camera(PinholeCamera.from_hfov(1920, 1080, 40.0), out / "camera.json")
embeddings = [motionrep.embed(c, motionrep.load_encoder(out / "encoder")) for c in clips]
for level in ("clip", "frame", "joint"):
    write_embeddings(embeddings, out / f"{level}.parquet", level, ["a", "b"])
heads = {n: motionrep.load_head(out / n) for n in ("mesh", "pose3d", "action")}
mesh, pose, action = (heads[n].predict(embeddings[0]) for n in ("mesh", "pose3d", "action"))
expected = {
    "version": motionrep.__version__,
    "keypoints_sum": [float(c.xy_px.double().sum()) for c in clips],
    "body_rotmat_sum": float(body.local_rotmat.double().sum()),
    "body_betas": body.betas.tolist(),
    "joints_first": motionrep.load_joint_motion(out / "joints.npz").position_m[0, 0].tolist(),
    "embedding_first": embeddings[0].values[0, 0].tolist(),
    "mesh_translation": mesh.translation_m[0].tolist(),
    "pose3d_last": pose.position_m[-1, -1].tolist(),
    "action_logit": action.logit.tolist(),
    "focal_px": PinholeCamera.from_hfov(1920, 1080, 40.0).focal_px,
}
(out / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
