"""Clips of keypoints alone: their batches, and the loss that needs no pose."""

import functools

import pytest
import torch

from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.keypoint_folders import load_keypoint_folder
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.detector_noise import DetectorNoise
from motionrep.datasets.synthetic.keypoint_clips import KeypointClips, MixedClips
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints
from motionrep_heads.losses import reprojection_error
from motionrep_heads.mesh import MeshHead
from motionrep_heads.pose3d import Pose3DHead

EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)


@functools.cache
def _synthesized(count=6):
    motion = authored_motion("walk", seconds=2.0)
    clip = MotionClip("walk", motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")
    samples = SynthesizedClips([clip], 12, 16, 30.0, 0, RandomWindows(count), noise=EXACT, layout=H36M_17)
    return samples, samples.__getitems__([(0, index) for index in range(count)])


def _keypoints(frames=40, fps=60.0):
    generator = torch.Generator().manual_seed(frames)
    xy_px = 100 + 300 * torch.rand(frames, 17, 2, generator=generator)
    confidence = torch.rand(frames, 17, generator=generator) + 0.2
    confidence[3] = 0
    return Keypoints(xy_px, confidence, H36M_17, fps, 640, 480)


def _observed(**options):
    return KeypointClips([_keypoints(), _keypoints(9)], 12, 16, 30.0, 0, Augmentation(mirror=False, **options))


def test_the_true_pose_fits_its_keypoints_and_a_smaller_one_no_less():
    """The image does not tell the size, so the loss must not reward shrinking."""
    _, batch = _synthesized()
    seen = batch["keypoints"] * batch["valid"][..., None, None]
    assert float(reprojection_error(batch["position_m"], seen, batch["focal"])) < 1e-3
    wrong = batch["position_m"] + 0.1 * torch.randn(
        batch["position_m"].shape, generator=torch.Generator().manual_seed(0)
    )
    error = float(reprojection_error(wrong, seen, batch["focal"]))
    assert error > 0.05
    assert float(reprojection_error(0.3 * wrong, seen, batch["focal"])) == pytest.approx(error, rel=0.2)


def test_unseen_keypoints_do_not_matter_to_the_reprojection():
    _, batch = _synthesized()
    seen = batch["keypoints"].clone()
    seen[:, :, 5, 2] = 0
    moved = seen.clone()
    moved[:, :, 5, :2] += 3.0
    wrong = batch["position_m"] * torch.tensor([1.0, 1.1, 1.0])
    same = [float(reprojection_error(wrong, given, batch["focal"])) for given in (seen, moved)]
    assert same[0] == pytest.approx(same[1], rel=1e-5)
    assert float(reprojection_error(wrong, torch.zeros_like(seen), batch["focal"])) == 0


def test_gradients_of_the_reprojection_pull_towards_the_keypoints():
    _, batch = _synthesized()
    torch.manual_seed(0)
    position = (batch["position_m"] + 0.05 * torch.randn(batch["position_m"].shape)).requires_grad_()
    optimizer = torch.optim.Adam([position], lr=0.005)
    errors = []
    for _ in range(40):
        error = reprojection_error(position, batch["keypoints"], batch["focal"])
        errors.append(float(error.detach()))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert errors[-1] < 0.3 * errors[0]


def test_the_head_learns_poses_from_some_clips_and_images_from_the_others():
    samples, _ = _synthesized()
    batch = MixedClips(samples, _observed(), 0.5).__getitems__([(0, index) for index in range(6)])
    assert batch["has_pose"].tolist() == [True] * 3 + [False] * 3
    head = Pose3DHead(8, losses={"position": 1.0, "velocity": 2.0, "reprojection": 0.1})
    position = torch.randn(6, 16, 17, 3, requires_grad=True)
    terms = head.loss({"position_m": position}, batch)
    assert set(terms) == {"position", "velocity", "reprojection"}
    (by_pose,) = torch.autograd.grad(terms["position"], position, retain_graph=True)
    (by_image,) = torch.autograd.grad(terms["reprojection"], position)
    assert bool(by_pose[:3].any())
    assert not by_pose[3:].any()
    assert bool(by_image[3:].any())
    assert not by_image[:3].any()


def test_clips_without_a_pose_do_not_choose_among_hypotheses():
    """Their pose is all zero, so every hypothesis was equally near and the first was learnt to be the likeliest."""
    samples, _ = _synthesized()
    batch = MixedClips(samples, _observed(), 0.5).__getitems__([(0, index) for index in range(6)])
    head = Pose3DHead(8, hypotheses=3, losses={"position": 1.0, "reprojection": 0.1})
    logit = torch.zeros(6, 3, requires_grad=True)
    output = {"hypothesis_m": torch.randn(6, 3, 16, 17, 3), "hypothesis_logit": logit}
    (gradient,) = torch.autograd.grad(head.loss(output, batch)["choice"], logit)
    assert bool(gradient[:3].any(1).all())
    assert not gradient[3:].any()


def test_an_observed_batch_has_the_entries_of_a_synthesised_one():
    _, known = _synthesized()
    batch = _observed().__getitems__([(0, index) for index in range(6)])
    assert set(batch) - set(known) == {"has_pose", "observed"}
    assert {name: tensor.shape for name, tensor in known.items()} == {name: batch[name].shape for name in known}
    assert not batch["has_pose"].any()
    assert float(batch["keypoints"][..., 2].max()) <= 1


def test_a_fast_clip_gives_every_second_frame_and_hidden_frames_stay_in_what_was_observed():
    clip = _keypoints(24)
    samples = KeypointClips([clip], 12, 12, 30.0, 0, Augmentation(mirror=False, masked_frames=0.5))
    batch = samples.__getitems__([(0, 0)])
    expected = (2 * clip.xy_px[::2] - torch.tensor([640.0, 480.0])) / 640
    seen = clip.confidence[::2, :, None] > 0
    torch.testing.assert_close(batch["observed"][0, ..., :2], expected.where(seen, 0))
    hidden = (batch["keypoints"][0] == 0).all(-1).all(-1)
    assert 0 < int(hidden.sum()) < 12


def test_a_folder_of_keypoints_is_read_whole(tmp_path):
    save_keypoints([_keypoints(5), _keypoints(7)], tmp_path / "two.npz")
    (tmp_path / "deep").mkdir()
    save_keypoints([_keypoints(6)], tmp_path / "deep" / "one.npz")
    assert sorted(clip.frame_count for clip in load_keypoint_folder(tmp_path)) == [5, 6, 7]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_keypoint_folder(tmp_path / "none")
    (tmp_path / "deep" / "seen.json").write_text("[]")
    with pytest.raises(ValueError, match=r"seen\.json: does not say how large the picture is; .* motionrep convert"):
        load_keypoint_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no \.npz of keypoints"):
        load_keypoint_folder(tmp_path / "empty")
    with pytest.raises(ValueError, match="15 frames per second, too few for the 30"):
        KeypointClips([_keypoints(5, fps=15.0)], 4, 4, 30.0, 0, Augmentation())


def test_losses_of_the_pose_head_are_what_they_are_called():
    """Against loops over frames; the second clip is only half there."""
    generator = torch.Generator().manual_seed(0)
    predicted, target = (torch.randn(2, 5, 17, 3, generator=generator) for _ in range(2))
    valid = torch.tensor([[True] * 5, [True, True, False, False, False]])
    names = ("position", "scale", "velocity", "acceleration", "smoothness")
    head = Pose3DHead(8, losses=dict.fromkeys(names, 1.0), joint_weights="equal")
    terms = head.loss({"position_m": predicted}, {"position_m": target, "valid": valid})

    def mean(order, of):
        return torch.stack([of(clip, t) for clip, last in ((0, 5), (1, 2)) for t in range(last - order)]).mean()

    def factor(clip, t):
        p, q = predicted[clip, t], target[clip, t]
        return (p * q).sum() / (p * p).sum()

    error = predicted - target
    expected = {
        "position": mean(0, lambda c, t: error[c, t].norm(dim=-1).mean()),
        "scale": mean(0, lambda c, t: (factor(c, t) * predicted[c, t] - target[c, t]).norm(dim=-1).mean()),
        "velocity": mean(1, lambda c, t: (error[c, t + 1] - error[c, t]).norm(dim=-1).mean()),
        "acceleration": mean(2, lambda c, t: (error[c, t + 2] - 2 * error[c, t + 1] + error[c, t]).norm(dim=-1).mean()),
        "smoothness": mean(1, lambda c, t: (predicted[c, t + 1] - predicted[c, t]).square().mean()),
    }
    for name in names:
        torch.testing.assert_close(terms[name], expected[name], msg=name)
    with pytest.raises(ValueError, match="unknown loss 'positon'"):
        Pose3DHead(8, losses={"positon": 1.0})


def test_limbs_count_as_in_the_published_ktpformer():
    published = [1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4]
    assert Pose3DHead(8, joint_weights="limbs").joint_weight.tolist() == published


def test_the_mesh_head_learns_vertices_and_from_clips_of_keypoints_too():
    samples, _ = _synthesized()
    batch = MixedClips(samples, _observed(), 0.5).__getitems__([(0, index) for index in range(6)])
    names = ("position", "velocity", "rotation", "betas", "vertices", "reprojection")
    torch.manual_seed(0)
    head = MeshHead(8, hidden=16, losses=dict.fromkeys(names, 1.0))
    output = head(torch.randn(6, 16, 17, 8), batch["valid"])
    terms = head.loss(output, batch)
    assert set(terms) == set(names)
    truth = head.loss({name: batch[name] for name in ("local_rotmat", "betas")}, batch)
    assert all(float(truth[name]) < 1e-5 < float(terms[name]) for name in names if name != "reprojection")
    gradient = torch.autograd.grad(terms["vertices"], output["local_rotmat"], retain_graph=True)[0]
    assert bool(gradient[:3].any())
    assert not gradient[3:].any()
    assert bool(torch.autograd.grad(terms["reprojection"], output["local_rotmat"])[0][3:].any())
    with pytest.raises(ValueError, match="unknown loss 'vertex'"):
        MeshHead(8, losses={"vertex": 1.0})
