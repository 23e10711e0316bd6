"""The whole way: `recover` is what embedding, heads, averaging, placing and refinement give one after the other."""

import json
from dataclasses import replace

import pytest
import torch

import motionrep
from motionrep.fitting.limb_ends import with_hands_and_feet
from motionrep.geometry.cameras import PinholeCamera
from motionrep.pipeline.networks import endings
from motionrep.types import ActionScores, BodyMotion, JointMotion

SIZE = (1920, 1080)


@pytest.fixture(scope="module")
def clip(tiny):
    return motionrep.load_keypoints(tiny / "clip.json", size_px=SIZE)[0]


@pytest.fixture(scope="module")
def given(tiny):
    return {"encoder": tiny / "encoder", "heads": [tiny / name for name in ("mesh", "pose3d", "action")]}


def _same(one, other):
    for name in ("local_rotmat", "translation_m", "betas", "position_m", "logit"):
        if hasattr(one, name):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=1e-6, rtol=0)


def test_a_file_a_clip_and_clips_give_the_same(tiny, clip, given):
    of_file = motionrep.recover(tiny / "clip.json", **given, size_px=SIZE)
    of_clip, of_clips = motionrep.recover(clip, **given), motionrep.recover([clip, clip], **given)
    assert [len(of_file), len(of_clip), len(of_clips)] == [1, 1, 2]
    assert [one.index for one in of_clips] == [0, 1]
    for name, result in of_clip[0].results.items():
        for other in (*of_file, *of_clips):
            _same(result, other.results[name])


def test_results_are_those_of_the_steps(tiny, clip, given):
    """Each step by hand, with the mirrored clip and a camera."""
    encoder, camera = motionrep.load_encoder(tiny / "encoder"), PinholeCamera.from_hfov(*SIZE, 30.0)
    found = motionrep.recover(clip, **given, camera=camera, flip=True)[0]
    ways = [motionrep.embed(way, encoder) for way in (clip, motionrep.mirrored(clip))]
    mesh, pose3d, action = (motionrep.load_head(folder) for folder in given["heads"])
    cameras = (camera, camera.mirrored())
    by_hand = (
        [mesh.predict(way, camera=seen) for way, seen in zip(ways, cameras, strict=True)],
        [pose3d.predict(way, "camera", seen) for way, seen in zip(ways, cameras, strict=True)],
        [action.predict(way) for way in ways],
    )
    for result, (one, other) in zip(found.results.values(), by_hand, strict=True):
        mean = motionrep.flip_averaged(one, other)
        _same(result, with_hands_and_feet(mean, clip, camera) if isinstance(mean, BodyMotion) else mean)
    torch.testing.assert_close(found.embedding.values, ways[0].values)


def test_motion_actions_and_timeline_are_the_first_of_their_kind(clip, given):
    found = motionrep.recover(clip, **given)[0]
    assert isinstance(found.motion, BodyMotion)
    assert found.actions is list(found.results.values())[2]
    assert found.timelines == {}  # the clip is one window
    expected = found.actions.probability().repeat(clip.frame_count, 1)
    torch.testing.assert_close(found.timeline.probability, expected)
    alone = motionrep.recover(clip, given["heads"][1:2], encoder=given["encoder"])[0]
    assert isinstance(alone.motion, JointMotion)
    with pytest.raises(ValueError, match=r"no head predicts action scores: .*pose3d' gives JointMotion"):
        _ = alone.actions


def test_long_clips_have_actions_over_time(tiny, clip):
    networks = motionrep.load_networks([tiny / "action"], tiny / "encoder")
    found = motionrep.Recoverer(*networks, window_s=0.2, step_s=0.1)(clip)
    assert list(found.timelines) == [str(tiny / "action")]
    assert found.timeline.probability.shape == (clip.frame_count, 2)
    assert found.timeline.probability.std(0).max() > 0


def test_refined_bodies_are_nearer_to_the_keypoints(tiny, clip):
    plain, refined = (
        motionrep.recover(clip, [tiny / "mesh"], encoder=tiny / "encoder", refine=refine)[0].motion
        for refine in (False, True)
    )
    torch.testing.assert_close(refined.local_rotmat, motionrep.refine(plain, clip).local_rotmat)
    assert not torch.allclose(refined.local_rotmat, plain.local_rotmat)


def test_results_are_saved_and_read_back(tmp_path, clip, given):
    found = motionrep.recover([replace(clip, first_frame=7)], **given)[0]
    paths = found.save(tmp_path, "dance")
    assert sorted(path.name for path in paths.values()) == [
        "dance_0.json", "dance_0_mesh.npz", "dance_0_pose3d.npz",
    ]  # fmt: skip
    _same(motionrep.load_motion(tmp_path / "dance_0_mesh.npz"), found.motion)
    _same(motionrep.load_joint_motion(tmp_path / "dance_0_pose3d.npz"), list(found.results.values())[1])
    said = json.loads((tmp_path / "dance_0.json").read_text())
    assert (said["best"], said["first_frame"], "over_time" in said) == (found.actions.best, 7, False)
    assert said["probability"][said["best"]] == pytest.approx(float(found.actions.probability().max()))


def test_bodies_stand_in_the_world_where_the_camera_does(tmp_path, tiny, clip):
    camera_from_world = torch.eye(4)
    camera_from_world[2, 3] = 2.0
    camera = replace(PinholeCamera.from_hfov(*SIZE), camera_from_world=camera_from_world)
    found = motionrep.recover(clip, [tiny / "mesh"], encoder=tiny / "encoder", camera=camera)[0]
    (path,) = found.save(tmp_path).values()
    saved = motionrep.load_motion(path)
    assert (found.motion.frame, saved.frame) == ("camera", "world")
    torch.testing.assert_close(saved.translation_m[:, 2], found.motion.translation_m[:, 2] - 2.0)


def test_one_person_of_several_and_people_hardly_seen(tiny, clip, caplog):
    stray = replace(clip, confidence=torch.zeros_like(clip.confidence).index_fill(1, torch.tensor([0, 1, 2]), 1.0))
    options = {"heads": [tiny / "mesh"], "encoder": tiny / "encoder"}
    assert [one.index for one in motionrep.recover([stray, clip], **options)] == [1]
    assert "left out: never more than 3 joints" in caplog.text
    assert [one.index for one in motionrep.recover([stray, clip], **options, person=0)] == [0]
    with pytest.raises(ValueError, match=r"there are 2 person\(s\), so person must be 0 to 1, got 2"):
        motionrep.recover([clip, clip], **options, person=2)
    with pytest.raises(ValueError, match="nobody has 4 seen joints"):
        motionrep.recover([stray, stray], **options)


def test_what_cannot_be_done_is_said(tiny, clip):
    encoder = tiny / "encoder"
    for options, told in (
        ({"heads": [tiny / "action"], "camera": "weak"}, "needs a head that places people in it, got '.*action'"),
        ({"heads": [tiny / "action"], "refine": True}, "refine: needs a body mesh, but '.*action' gives ActionScores"),
        ({"heads": []}, "heads is empty; name at least one, such as 'mesh-ktpformer-s'"),
        ({"heads": [tiny / "mesh"], "fps": 25.0}, "fps: clips say theirs already"),
        ({"heads": [tiny / "mesh"], "encoder": None}, "trained on encoder 'tiny', which does not ship"),
        ({"heads": ["mesh-ktpformer-s", "mesh-ssr-stf-s"], "encoder": None}, "trained on different encoders"),
    ):
        with pytest.raises(ValueError, match=told):
            motionrep.recover(clip, **({"encoder": encoder} | options))


def test_heads_that_are_loaded_already(tiny, clip):
    head, encoder = motionrep.load_head(tiny / "pose3d"), motionrep.load_encoder(tiny / "encoder")
    found = motionrep.recover(clip, [head], encoder=encoder)[0]
    assert list(found.results) == ["Pose3DHead"]
    _same(found.motion, head.predict(motionrep.embed(clip, encoder)))


def test_files_of_heads_with_one_name_are_numbered():
    assert endings({"a/mesh": 0, "b/mesh": 0, "action": 0}) == {
        "a/mesh": "_mesh_0", "b/mesh": "_mesh_1", "action": "_action",
    }  # fmt: skip
    assert endings({"a/mesh": 0}) == {"a/mesh": ""}


def test_scores_of_own_types_are_kept(tiny, clip):
    class Height(torch.nn.Module):
        trained_on = "tiny"

        def predict(self, embedding):
            return float(embedding.values.mean())

    found = motionrep.recover(clip, [Height()], encoder=tiny / "encoder")[0]
    assert isinstance(found.results["Height"], float)
    assert not isinstance(found.results["Height"], ActionScores)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_the_cpu_gives(clip, given):
    on_cpu = motionrep.recover(clip, **given, flip=True, refine=True)[0]
    on_gpu = motionrep.recover(clip, **given, flip=True, refine=True, device="cuda")[0]
    for name, result in on_cpu.results.items():
        if not isinstance(result, BodyMotion):  # refinement is iterative
            _same(result, on_gpu.results[name])
    torch.testing.assert_close(on_cpu.motion.translation_m, on_gpu.motion.translation_m, atol=0.02, rtol=0)


def test_all_persons_keeps_ghosts_of_a_file(tmp_path, given):
    """Somebody who was hardly seen is left out unless `all_persons`, which is for files only."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([60.0, 200.0])

    def entry(frame, x_px, confidence):
        xy_px = torch.rand(17, 2, generator=generator) * spread + torch.tensor([x_px, 300.0])
        xyc = torch.cat([xy_px, torch.full((17, 1), confidence)], 1).flatten().tolist()
        return {"image_id": frame, "category_id": 1, "keypoints": xyc, "score": confidence, "track_id": int(x_px)}

    entries = [entry(t, 900.0, 0.9) for t in range(60)] + [entry(t, 200.0, 0.2) for t in range(2)]
    (tmp_path / "clip.json").write_text(json.dumps(entries))
    options = {"size_px": SIZE, "fps": 30.0, "layout": "coco_17"}
    assert len(motionrep.recover(tmp_path / "clip.json", **given, **options)) == 1
    assert len(motionrep.recover(tmp_path / "clip.json", **given, **options, all_persons=True)) == 2
    clip = motionrep.load_keypoints(tmp_path / "clip.json", **options)
    with pytest.raises(ValueError, match="all_persons: clips say theirs already; leave it out, it is for files"):
        motionrep.recover(clip, **given, all_persons=True)
