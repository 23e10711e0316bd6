"""The mesh head of MotionBERT's fine-tuned models, in files as its scripts save them, predicts clips."""

import torch
from motionbert_checkpoints import CHANNELS, checkpoint, clip
from smpl_containers import write_smpl

from motionrep.embedding.encoding import embed
from motionrep.encoders import load_encoder
from motionrep.encoders.motionbert_heads import MotionBERTMesh
from motionrep.head_api.loading import load_head


def test_the_mesh_head_recovers_a_body_of_the_users(tmp_path):
    path = checkpoint(tmp_path / "mesh.bin", MotionBERTMesh(17 * CHANNELS, 32))
    smpl = write_smpl(tmp_path / "smpl.npz", "smpl")
    encoder, head = load_encoder(path), load_head(path, body=str(smpl))
    embedding = embed(clip(), encoder)
    motion = head.predict(embedding)
    published = head.mesh(embedding.values[None])
    torch.testing.assert_close(motion.local_rotmat, published["rotmat"][0].detach())
    torch.testing.assert_close(motion.betas, published["betas"][0, 0].detach())
    assert (motion.frame, motion.body_model) == ("camera", head.body.name)
