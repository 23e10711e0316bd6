"""The mesh and action heads of MotionBERT's fine-tuned models, in files as its scripts save them, predict clips."""

import pytest
import torch
from smpl_containers import write_smpl

from motionrep.embedding.encoding import embed
from motionrep.encoders import DSTformer, load_encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction, MotionBERTEmbedding, MotionBERTMesh
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints

CHANNELS, FRAMES = 16, 9


def checkpoint(path, head):
    """`model` of a DataParallel model with `backbone` and `head`, next to the state of the training."""
    torch.manual_seed(1)
    backbone = DSTformer(frames=FRAMES, channels=CHANNELS, inner_channels=32, depth=1)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    names = {f"module.backbone.{DSTformer.published.name_in_file(n)}": t for n, t in backbone.state_dict().items()}
    names |= {f"module.backbone.head.{n}": t for n, t in torch.nn.Linear(CHANNELS, 3).state_dict().items()}
    names |= {f"module.head.{n}": t for n, t in head.state_dict().items()}
    torch.save({"epoch": 1, "lr": 0.1, "model": names}, path)
    return path


def clip(seed=0, frames=FRAMES):
    xy_px = 200 + 400 * torch.rand(frames, 17, 2, generator=torch.Generator().manual_seed(seed))
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 30.0, 1000, 1000)


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


def test_the_action_head_reads_two_persons_of_whom_one_may_be_absent(tmp_path):
    path = checkpoint(tmp_path / "action.bin", MotionBERTAction(17 * CHANNELS, 60, 32))
    encoder, head = load_encoder(path), load_head(path)
    first, second = (embed(clip(seed), encoder) for seed in (0, 1))
    scores = head.predict([first, second])
    both = torch.stack([first.values, second.values])[None]
    torch.testing.assert_close(scores.logit, head.action(both)[0].detach(), atol=1e-5, rtol=1e-4)
    assert scores.labels[:2] == ("A001", "A002")
    with torch.no_grad():
        nobody = encoder(torch.zeros(1, FRAMES, 17, 3))
        alone = head.action(torch.stack([first.values, nobody[0]])[None])[0]
    torch.testing.assert_close(head.predict(first).logit, alone, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(head.predict(first).logit, scores.logit)


def test_vectors_for_one_shot_recognition_are_no_result(tmp_path):
    path = checkpoint(tmp_path / "embed.bin", MotionBERTEmbedding(17 * CHANNELS, 32))
    with pytest.raises(ValueError, match="for one-shot recognition gives vectors"):
        load_head(path)
