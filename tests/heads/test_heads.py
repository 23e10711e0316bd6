"""What holds for every installed head of motionrep, and what each of them promises beyond."""

from dataclasses import replace

import jaxtyping
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.geometry.cameras import PinholeCamera, project, translation_from_keypoints
from motionrep.head_api.contract import Head
from motionrep.head_api.loading import head_class, head_entry_points, load_head, save_head
from motionrep.layouts import H36M_17
from motionrep.motion.contacts import Ground
from motionrep.types import ActionScores, BodyMotion, JointMotion, Keypoints, MotionEmbedding

LABELS = ("bow", "jump", "walk")
HEADS = ("action", "ground", "mesh", "pose3d")
OPTIONS = {"action": {"labels": LABELS}, "ground": {}, "mesh": {"hidden": 64}, "pose3d": {}}
CHANNELS = 24


def _new(name):
    torch.manual_seed(0)
    return head_class(name)(channels=CHANNELS, **OPTIONS[name])


@pytest.fixture(params=HEADS)
def name(request):
    return request.param


@pytest.fixture
def head(name):
    return _new(name)


@pytest.fixture(scope="module")
def batch():
    """Six clips of three actions; the window is longer than a bow at most speeds, so some frames only pad."""
    clips = []
    for action, seconds in zip(LABELS, (0.7, 2.0, 2.0), strict=True):
        motion = authored_motion(action, seconds=seconds)
        usable = torch.ones(motion.frame_count, dtype=torch.bool)
        clips.append(MotionClip(action, motion, usable, action, "train", True, ""))
    samples = SynthesizedClips(clips, 20, 24, windows=RandomWindows(6), labels=LABELS)
    return samples.__getitems__([(0, index) for index in range(6)])


@pytest.fixture(scope="module")
def representation(batch):
    """As an encoder would: a fixed random map of the keypoints of each joint."""
    generator = torch.Generator().manual_seed(0)
    return torch.tanh(batch["keypoints"] @ torch.randn(3, CHANNELS, generator=generator))


def _embedding(frames=12, encoder="tiny", fps=25.0):
    generator = torch.Generator().manual_seed(1)
    xy_px = 200 + 300 * torch.rand(frames, 17, 2, generator=generator)
    keypoints = Keypoints(xy_px, torch.ones(frames, 17), H36M_17, fps, 1280, 720, first_frame=4)
    return MotionEmbedding(torch.randn(frames, 17, CHANNELS, generator=generator), keypoints, encoder)


def test_the_heads_of_motionrep_are_installed():
    assert set(HEADS) <= set(head_entry_points())


def test_it_is_a_head(head):
    assert isinstance(head, Head)
    assert head.config["channels"] == CHANNELS
    assert type(head)(**head.config).config == head.config
    assert head.trained_on is None


def test_the_loss_falls_on_one_batch_and_gradients_reach_every_parameter(head, batch, representation):
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        terms = head.loss(head(representation, batch["valid"]), batch)
        assert all(term.ndim == 0 for term in terms.values())
        total = torch.stack(list(terms.values())).sum()
        losses.append(float(total.detach()))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert all(loss == loss and loss < float("inf") for loss in losses)
    assert losses[-1] < 0.85 * losses[0]
    assert [key for key, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_frames_that_pad_do_not_matter(head, batch, representation):
    """Neither the outputs of other frames and of the clip, nor the loss, depend on what stands in padding."""
    head.eval()
    valid = batch["valid"]
    assert not valid.all()
    noisy = torch.where(valid[..., None, None], representation, torch.randn_like(representation))
    outputs = [head(each, valid) for each in (representation, noisy)]
    for key, value in outputs[0].items():
        clip_level = value.ndim < 3
        a, b = (output[key] if clip_level else output[key][valid] for output in outputs)
        torch.testing.assert_close(a, b, msg=key)
    for key, term in head.loss(outputs[0], batch).items():
        torch.testing.assert_close(term, head.loss(outputs[1], batch)[key], msg=key)


def test_a_padded_clip_has_the_outputs_of_the_clip_alone(head, batch, representation):
    head.eval()
    row = int((~batch["valid"]).sum(1).argmax())
    frames = int(batch["valid"][row].sum())
    padded = head(representation, batch["valid"])
    alone = head(representation[row : row + 1, :frames], batch["valid"][row : row + 1, :frames])
    for key, value in alone.items():
        expected = padded[key][row] if value.ndim < 3 else padded[key][row, :frames]
        torch.testing.assert_close(value[0], expected, atol=1e-5, rtol=1e-4, msg=key)


def test_evaluation_is_deterministic(head, batch, representation):
    head.eval()
    first, again = (head(representation, batch["valid"]) for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_saving_and_loading_is_exact(head, name, tmp_path):
    for parameter in head.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    head.eval()
    save_head(head, tmp_path / "mine", name, "tiny", card="# Mine")
    loaded = load_head(tmp_path / "mine")
    assert type(loaded) is type(head)
    assert loaded.config == head.config
    assert loaded.trained_on == "tiny"
    assert not loaded.training
    embedding = _embedding()
    assert torch.equal(_numbers(loaded.predict(embedding)), _numbers(head.predict(embedding)))
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def _numbers(result):
    match result:
        case JointMotion():
            return result.position_m
        case BodyMotion():
            return result.local_rotmat
        case ActionScores():
            return result.logit
        case Ground():
            return torch.cat([result.up, result.contact], -1)


def test_embeddings_of_another_encoder_are_refused(head, name):
    head.trained_on = "ktpformer-s"
    with pytest.raises(ValueError, match=r"trained on encoder 'ktpformer-s', got 'tiny'"):
        head.predict(_embedding())


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_predictions_are_clips_of_the_same_length_and_rate(head, frames):
    result = head.eval().predict(_embedding(frames))
    if isinstance(result, ActionScores):
        assert result.labels == LABELS
        assert not result.logit.requires_grad
        return
    assert (result.fps, result.first_frame) == (25.0, 4)
    assert not _numbers(result).requires_grad
    assert _numbers(result).shape[0] == frames
    if isinstance(result, Ground):
        torch.testing.assert_close(result.up.norm(dim=-1), torch.ones(frames))
        assert ((result.contact >= 0) & (result.contact <= 1)).all()
        return
    assert result.frame == ("root" if isinstance(result, JointMotion) else "camera")


def test_frames_without_the_person_have_no_say_in_the_rest(head):
    """What an encoder makes up for them changes nothing that is said of the frames in which the person was seen."""
    embedding = _embedding(12)
    confidence = torch.ones(12, 17)
    confidence[4:8] = 0
    clip = replace(embedding.keypoints, confidence=confidence)
    other = embedding.values.clone()
    other[4:8] = 9.0
    seen = clip.confidence[:, 0] > 0
    one, same = (head.eval().predict(replace(embedding, keypoints=clip, values=v)) for v in (embedding.values, other))
    if isinstance(one, ActionScores):
        torch.testing.assert_close(one.logit, same.logit)
    else:
        torch.testing.assert_close(_numbers(one)[seen], _numbers(same)[seen])
        torch.testing.assert_close(getattr(one, "betas", torch.zeros(1)), getattr(same, "betas", torch.zeros(1)))


def test_poses_have_their_pelvis_at_the_origin():
    motion = _new("pose3d").predict(_embedding())
    assert motion.layout == H36M_17
    assert not motion.position_m[:, 0].any()


def test_the_pose_loss_of_the_truth_is_zero_and_of_another_pose_is_not(batch):
    head = _new("pose3d")
    assert all(float(term) == 0 for term in head.loss({"position_m": batch["position_m"]}, batch).values())
    moved = {"position_m": batch["position_m"] + 0.1}
    terms = head.loss(moved, batch)
    assert float(terms["position"]) > 0.1
    assert float(terms["velocity"]) == pytest.approx(0, abs=1e-6)  # a steady error does not shake


def test_the_mesh_loss_counts_accelerations_where_it_is_asked_to(batch):
    truth = {"local_rotmat": batch["local_rotmat"], "betas": batch["betas"]}
    shaken = batch["local_rotmat"].clone()
    shaken[:, 1::2] = batch["local_rotmat"].roll(1, 1)[:, 1::2]  # every other frame shows the one before
    head = head_class("mesh")(CHANNELS, losses={"position": 1.0, "acceleration": 10.0})
    assert set(head.loss(truth, batch)) == {"position", "acceleration"}
    assert float(head.loss(truth, batch)["acceleration"]) == pytest.approx(0, abs=1e-5)
    assert float(head.loss(truth | {"local_rotmat": shaken}, batch)["acceleration"]) > 1e-3


def test_the_mesh_loss_of_the_truth_is_zero(batch):
    terms = _new("mesh").loss({"local_rotmat": batch["local_rotmat"], "betas": batch["betas"]}, batch)
    assert all(float(term) == pytest.approx(0, abs=1e-5) for term in terms.values())


def test_an_untrained_mesh_stands_upright_before_the_camera():
    motion = _new("mesh").predict(_embedding())
    body = load_body_model("open")
    point_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    head, ankle = (point_m[:, H36M_17.index(joint), 1] for joint in ("head", "left_ankle"))
    assert bool((ankle - head > 1.3).all())  # y points down
    assert motion.body_model == "open"


def test_a_mesh_is_placed_where_the_keypoints_are(batch):
    """With the true pose and shape, and exact keypoints, the body covers the keypoints and has its true place."""
    body = load_body_model("open")
    row = int(batch["valid"].sum(1).argmax())
    rotmat, betas, truth_m = (batch[key][row] for key in ("local_rotmat", "betas", "translation_m"))
    camera = PinholeCamera.from_hfov(1280, 720, 40.0)
    xy_px = project(body.points(H36M_17, rotmat, betas, truth_m), camera)
    still_m = body.points(H36M_17, rotmat, betas, torch.zeros_like(truth_m))
    found_m = translation_from_keypoints(still_m, xy_px, torch.ones(xy_px.shape[:2]), camera)
    # The path's second difference is held small, mostly along the line of sight, so z follows within centimetres.
    torch.testing.assert_close(found_m, truth_m, atol=0.08, rtol=0)
    covered_px = project(still_m + found_m[:, None], camera)
    assert float((covered_px - xy_px).norm(dim=-1).mean()) < 6


def test_a_mesh_prediction_uses_the_camera_it_is_given():
    """The same picture through a longer lens shows somebody further away."""
    head, embedding = _new("mesh").eval(), _embedding()
    rest = head.predict(embedding)
    standing_m = load_body_model("open").points(H36M_17, rest.local_rotmat, rest.betas, torch.tensor([0.0, 0.5, 5.0]))
    cameras = [PinholeCamera.from_hfov(1280, 720, degrees) for degrees in (70.0, 20.0)]
    xy_px = project(standing_m, cameras[0])
    clip = Keypoints(xy_px, torch.ones(xy_px.shape[:2]), H36M_17, 25.0, 1280, 720)
    near_m, far_m = (
        head.predict(MotionEmbedding(embedding.values, clip, "tiny"), camera).translation_m for camera in cameras
    )
    torch.testing.assert_close(near_m[:, 2], torch.full((12,), 5.0), atol=0.05, rtol=0)
    assert float(far_m[:, 2].min()) > 15


def test_keypoints_without_any_confidence_cannot_place_a_mesh():
    embedding = _embedding()
    unseen = Keypoints(embedding.keypoints.xy_px, torch.zeros(12, 17), H36M_17, 25.0, 1280, 720)
    with pytest.raises(ValueError, match="no keypoint of the clip has a confidence above 0"):
        _new("mesh").predict(MotionEmbedding(embedding.values, unseen, "tiny"))


def test_action_scores_do_not_depend_on_the_length_of_a_steady_clip():
    head = _new("action").eval()
    frame = torch.randn(1, 1, 17, CHANNELS, generator=torch.Generator().manual_seed(0))
    short, long = (head(frame.expand(-1, n, -1, -1), torch.ones(1, n, dtype=torch.bool))["logit"] for n in (3, 50))
    torch.testing.assert_close(short, long, atol=1e-4, rtol=1e-4)


def _embedding_of(batch, row, channels=CHANNELS):
    """An embedding whose keypoints are those of a clip of the batch."""
    xy_px = 640 + 640 * batch["keypoints"][row, ..., :2]
    keypoints = Keypoints(xy_px, batch["keypoints"][row, ..., 2], H36M_17, 30.0, 1280, 1280)
    values = torch.randn(len(xy_px), 17, channels, generator=torch.Generator().manual_seed(0))
    return MotionEmbedding(values, keypoints, "tiny")


def test_joints_are_in_no_other_axes(batch, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="frame must be 'root' or 'camera', got 'world'"):
        _new("pose3d").eval().predict(_embedding_of(batch, 0), "world")


def test_joints_in_camera_axes_stand_where_the_keypoints_are(batch):
    head, embedding = _new("pose3d").eval(), _embedding_of(batch, 0)
    with torch.no_grad():  # a person's pose, whatever the embedding
        head.position.weight.zero_()
        head.position.bias.zero_()
    truth = batch["position_m"][0]
    head.forward = lambda representation, valid: {"position_m": truth[None]}
    camera = PinholeCamera(640 * float(batch["focal"][0]), (640.0, 640.0), 1280, 1280)
    placed = head.predict(embedding, "camera", camera)
    with pytest.raises(ValueError, match="takes pictures of 640 x 480 px, the keypoints are of 1280 x 1280 px"):
        head.predict(embedding, "camera", PinholeCamera.from_hfov(640, 480))
    with pytest.raises(ValueError, match="pass frame='camera' too"):
        head.predict(embedding, camera=camera)
    assert placed.frame == "camera"
    torch.testing.assert_close(placed.position_m - placed.position_m[:, :1], truth, atol=1e-5, rtol=0)
    seen = embedding.keypoints.confidence > 0.5
    error_px = (project(placed.position_m, camera) - embedding.keypoints.xy_px).norm(dim=-1)[seen]
    assert float(error_px.median()) < 10
    assert head.predict(embedding).frame == "root"


def test_of_several_hypotheses_the_nearest_learns_and_the_likeliest_is_given(batch, representation):
    torch.manual_seed(0)
    head = head_class("pose3d")(channels=CHANNELS, hypotheses=3)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(60):
        output = head(representation, batch["valid"])
        terms = head.loss(output, batch)
        assert {"position", "velocity", "choice", "other_hypotheses"} == set(terms)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    head.eval()
    error = (output["hypothesis_m"] - batch["position_m"][:, None]).norm(dim=-1).mean((-1, -2))
    assert float(error.amin(1).mean()) < float(error.mean())
    found = head.predict_hypotheses(_embedding(frames=7))
    assert sum(probability for probability, _ in found) == pytest.approx(1)
    assert [p for p, _ in found] == sorted((p for p, _ in found), reverse=True)
    torch.testing.assert_close(found[0][1].position_m, head.predict(_embedding(frames=7)).position_m)
    assert not torch.allclose(found[0][1].position_m, found[1][1].position_m)
    with pytest.raises(ValueError, match="hypotheses must be at least 1"):
        head_class("pose3d")(channels=CHANNELS, hypotheses=0)


@pytest.mark.parametrize("name", ["mesh", "pose3d"])
def test_autocast_around_a_head_moves_nobody(name):
    head, embedding = _new(name).eval(), _embedding()
    options = {"frame": "camera"} if name == "pose3d" else {}
    expected = head.predict(embedding, **options)
    with torch.autocast("cpu", torch.bfloat16):
        got = head.predict(embedding, **options)
    for field in ("position_m",) if name == "pose3d" else ("local_rotmat", "translation_m", "betas"):
        assert torch.equal(getattr(got, field), getattr(expected, field))


def test_weights_of_losses_are_numbers(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
    for name in ("pose3d", "mesh"):
        with pytest.raises(ValueError, match=r"losses\.position must be a number, got 'a'; it is a weight"):
            head_class(name)(channels=8, losses={"position": "a"})
