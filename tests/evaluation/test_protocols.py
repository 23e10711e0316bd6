"""The published protocols on small files in the published formats; truth and errors are made here."""

import json
import pickle

import numpy as np
import pytest
import torch
from benchmark_files import annotation, motionbert, sequence, write_pyskl, write_test_file, write_videopose3d
from torch import nn

from motionrep.cli.main import main
from motionrep.datasets.benchmarks.h36m import load_h36m
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.datasets.benchmarks.mpi_inf_3dhp import load_mpi_inf_3dhp
from motionrep.datasets.benchmarks.ntu import EXEMPLARS
from motionrep.datasets.benchmarks.pyskl import load_pyskl
from motionrep.embedding.inputs import mirrored
from motionrep.encoders import load_encoder
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.h36m import MOTIONBERT_DROPS, Scoring, evaluate_h36m, score_by_action
from motionrep.evaluation.protocols.mpi_inf_3dhp import evaluate_3dhp
from motionrep.evaluation.protocols.ntu import (
    evaluate_ntu60_xsub,
    evaluate_ntu60_xview,
    evaluate_ntu120_oneshot,
)
from motionrep.evaluation.published import evaluate_protocol, require_comparable
from motionrep.head_api.loading import head_class, load_head, save_head
from motionrep.keypoints.ntu_actions import NTU_ACTIONS
from motionrep.layouts import COCO_17, H36M_17, MPI_INF_3DHP_17
from motionrep.types import JointMotion, Keypoints, MotionEmbedding


class FromPixels(nn.Module):
    """A head that knows: a joint is where its keypoint is, 1 mm for a pixel, with a depth and an error of its own."""

    def __init__(self, error_m: torch.Tensor | None = None) -> None:
        super().__init__()
        self.error_m = torch.zeros(17, 3) if error_m is None else error_m

    def predict(self, embedding: MotionEmbedding) -> JointMotion:
        return JointMotion(_planar_m(embedding.keypoints) + self.error_m, H36M_17, embedding.fps, "root")


def _planar_m(keypoints: Keypoints) -> torch.Tensor:
    xy_m = keypoints.as_h36m_17().xy_px / 1000
    position_m = torch.cat([xy_m, torch.zeros_like(xy_m[..., :1])], -1)
    return position_m - position_m[:, :1]


def _planar_clip(name: str, action: str, frames: int, seed: int) -> LabelledClip:
    xy_px = torch.from_numpy(np.random.default_rng(seed).uniform(100, 900, (frames, 17, 2))).float()
    keypoints = Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 50.0, 1000, 1000)
    return LabelledClip(name, keypoints, JointMotion(_planar_m(keypoints), H36M_17, 50.0, "root"), action=action)


def _listed(clip: LabelledClip) -> ListedClip:
    return ListedClip(clip.name, lambda: clip, clip.keypoints.frame_count, 50.0, clip.action)


@pytest.fixture(scope="module")
def encoder(tiny):
    return load_encoder(str(tiny / "encoder"))


@pytest.fixture(scope="module")
def predictor(tiny, encoder):
    return Predictor(encoder, load_head(str(tiny / "pose3d")), flip=False)


def loops(predicted_m: np.ndarray, target_m: np.ndarray) -> np.ndarray:
    """Distances (frames, joints) in millimetres once both pelvises are at the origin."""
    error = np.zeros(predicted_m.shape[:2])
    for frame in range(error.shape[0]):
        for joint in range(error.shape[1]):
            p = predicted_m[frame, joint] - predicted_m[frame, 0]
            error[frame, joint] = 1000 * np.linalg.norm(p - (target_m[frame, joint] - target_m[frame, 0]))
    return error


def test_flip_averaging_of_what_knows_no_side_changes_nothing_and_cancels_what_does(encoder):
    clip = _planar_clip("a", "Walking", 12, 0)
    torch.testing.assert_close(Predictor(encoder, FromPixels()).joints_m(clip.keypoints), _planar_m(clip.keypoints))
    # An error to the right in every joint but the pelvis is one to the left in the mirror: the mean has none.
    sideways = torch.zeros(17, 3)
    sideways[1:, 0] = 0.05
    flipped = Predictor(encoder, FromPixels(sideways))
    torch.testing.assert_close(flipped.joints_m(clip.keypoints), _planar_m(clip.keypoints), atol=1e-6, rtol=1e-5)
    once = Predictor(encoder, FromPixels(sideways), flip=False).joints_m(clip.keypoints)
    torch.testing.assert_close(once, _planar_m(clip.keypoints) + sideways)
    # An error of one wrist becomes half an error of each.
    deep = torch.zeros(17, 3)
    deep[H36M_17.index("left_wrist"), 2] = 0.05
    both = Predictor(encoder, FromPixels(deep)).joints_m(clip.keypoints) - _planar_m(clip.keypoints)
    assert both[0, :, 2].nonzero().ravel().tolist() == [H36M_17.index("left_wrist"), H36M_17.index("right_wrist")]
    assert float(both[0, :, 2].max()) == pytest.approx(0.025)
    assert mirrored(clip.keypoints).width_px == 1000


def test_the_mean_is_over_actions_and_not_over_frames(encoder):
    """12 frames of one action without error, 4 of another with 34 mm in one of 17 joints."""
    deep = torch.zeros(17, 3)
    deep[5, 2] = 0.034
    good = Predictor(encoder, FromPixels(), flip=False)
    once = Scoring(None, "subtracted")
    first = score_by_action([_listed(_planar_clip("a", "Walking", 12, 0))], good, once)
    assert first["metrics"]["mpjpe"] == pytest.approx(0, abs=1e-3)

    class Sometimes(FromPixels):
        def predict(self, embedding):
            self.error_m = deep if embedding.keypoints.frame_count == 4 else torch.zeros(17, 3)
            return super().predict(embedding)

    clips = [_listed(_planar_clip("a", "Walking", 12, 0)), _listed(_planar_clip("b", "Eating", 4, 1))]
    result = score_by_action(clips, Predictor(encoder, Sometimes(), flip=False), once)
    assert result["per_action"]["Eating"]["mpjpe"] == pytest.approx(2, rel=1e-4)
    assert result["metrics"]["mpjpe"] == pytest.approx(1, rel=1e-3)
    assert result["metrics"]["mpjpe_frames"] == pytest.approx(2 * 4 / 16, rel=1e-3)
    assert result["metrics"]["mpjve"] == pytest.approx(0, abs=1e-3), "an error that stays is none of velocity"
    assert result["protocol"] == {"actions": 2, "clips": 2, "frames": 16} | once.details()


def test_human36m_of_videopose3d_agrees_with_loops(tmp_path, predictor):
    write_videopose3d(tmp_path, ("Walking", "Walking 1", "Eating"), frames=7)
    result = evaluate_h36m(tmp_path, predictor, scoring="relative")
    by_action: dict[str, list] = {"Walking": [], "Eating": []}
    velocity: dict[str, list] = {"Walking": [], "Eating": []}
    for clip in load_h36m(tmp_path):
        p, t = predictor.joints_m(clip.keypoints).double().numpy(), clip.joint_target.position_m.double().numpy()
        by_action[clip.action].append(loops(p, t))
        steps = np.diff(p - p[:, :1], axis=0) - np.diff(t - t[:, :1], axis=0)
        velocity[clip.action].append(1000 * np.linalg.norm(steps, axis=-1).mean())  # clips are equally long
    expected = np.mean([np.concatenate(errors).mean() for errors in by_action.values()])
    assert result["metrics"]["mpjpe"] == pytest.approx(expected, rel=1e-6)
    assert result["metrics"]["mpjve"] == pytest.approx(np.mean([np.mean(v) for v in velocity.values()]), rel=1e-6)
    frames = np.concatenate([error for errors in by_action.values() for error in errors]).mean()
    assert result["metrics"]["mpjpe_frames"] == pytest.approx(frames, rel=1e-6)
    assert result["metrics"]["pa_mpjpe"] < result["metrics"]["n_mpjpe"] < result["metrics"]["mpjpe"]
    protocol = result["protocol"]
    assert (protocol["id"], protocol["clips"], protocol["frames"], protocol["actions"]) == (
        "h36m/videopose3d/1", 24, 168, 2,
    )  # fmt: skip
    assert (protocol["flip_averaging"], protocol["window_overlap"]) == (False, 0.0)
    assert set(result["units"]) == set(result["metrics"])


def test_motionberts_evaluation_drops_three_clips_and_what_no_window_reaches(tmp_path, encoder):
    stored = motionbert(frames=(243 + 20, 243))["test"]
    dropped = f"{MOTIONBERT_DROPS[0]}_ca_02"
    stored["source"] = [*stored["source"][:263], *[dropped] * 243]
    (tmp_path / "h36m.pkl").write_bytes(pickle.dumps({"test": stored}))
    result = evaluate_h36m(tmp_path / "h36m.pkl", Predictor(encoder, FromPixels(), flip=False))
    assert (result["protocol"]["id"], result["protocol"]["clips"], result["protocol"]["frames"]) == (
        "h36m/motionbert/2", 1, 243,
    )  # fmt: skip
    true_m = stored["joints_2.5d_image"][:243] / 1000
    seen_m = np.concatenate([stored["joint_2d"][:243] / 1000, np.zeros((243, 17, 1))], -1)
    assert result["metrics"]["mpjpe"] == pytest.approx(loops(seen_m, true_m).mean(), rel=1e-4)
    with pytest.raises(ValueError, match="has one set of detections; detector='gt' is for"):
        evaluate_h36m(tmp_path / "h36m.pkl", Predictor(encoder, FromPixels()), "gt")
    short = {k: v[:200] for k, v in stored.items()}
    (tmp_path / "h36m.pkl").write_bytes(pickle.dumps({"test": short}))
    with pytest.raises(ValueError, match="no clip has 243 frames"):
        evaluate_h36m(tmp_path / "h36m.pkl", Predictor(encoder, FromPixels()))


def test_3dhp_agrees_with_loops_over_the_published_joint_groups(tmp_path, predictor):
    """The groups of `mpii_get_pck_auc_joint_groups.m`, in numbers from 1 of the 17 joints of the file."""
    groups = ([1], [2], [3, 6], [4, 7], [5, 8], [9, 12], [10, 13], [11, 14])
    stored = write_test_file(tmp_path)
    result = evaluate_3dhp(tmp_path, predictor)
    ours = {"head_top": "head", "head": "nose", "neck": "thorax"}
    columns = [H36M_17.index(ours.get(joint, joint)) for joint in MPI_INF_3DHP_17.joints]
    errors = []
    for clip in load_mpi_inf_3dhp(tmp_path):
        predicted_mm = 1000 * predictor.joints_m(clip.keypoints).double().numpy()[:, columns]
        true_mm = stored[clip.name]["data_3d"] - stored[clip.name]["data_3d"][:, 14:15]
        errors += [
            np.linalg.norm(predicted_mm[frame] - true_mm[frame], axis=-1)
            for frame in range(len(true_mm))
            if stored[clip.name]["valid"][frame]
        ]
    error = np.array(errors)
    total_pck, total_auc, joints = 0.0, 0.0, 0
    for group in groups:
        of_group = error[:, np.array(group) - 1]
        total_pck += len(group) * 100 * (of_group < 150).mean()
        total_auc += len(group) * 100 * np.mean([(of_group < threshold).mean() for threshold in range(0, 151, 5)])
        joints += len(group)
    assert joints == 14
    assert result["metrics"]["mpjpe"] == pytest.approx(error.mean(), rel=1e-5)
    assert result["metrics"]["pck"] == pytest.approx(total_pck / joints)
    assert result["metrics"]["auc"] == pytest.approx(total_auc / joints)
    assert result["protocol"]["frames"] == 6 * 4
    assert (result["protocol"]["id"], result["protocol"]["complete"]) == ("3dhp/univ_annot3/1", False)
    assert list(result["per_sequence"]) == [f"TS{i}" for i in range(1, 7)]
    other = evaluate_3dhp(tmp_path, predictor, "annot3")
    with pytest.raises(ValueError, match=r"different protocols.*3dhp/univ_annot3/1' and '3dhp/annot3/1"):
        require_comparable(result, other)
    with pytest.raises(ValueError, match="annotation must be 'univ_annot3' or 'annot3', got 'univ'"):
        evaluate_3dhp(tmp_path, predictor, "univ")
    with pytest.raises(ValueError, match="fps must be a number, got 'fast'"):
        evaluate_3dhp(tmp_path, predictor, fps="fast")


def test_a_frame_that_is_not_valid_cannot_change_3dhp(tmp_path, encoder):
    """Keypoints say what the truth is, but for a frame that does not count."""
    stored = {"TS1": sequence(8)}
    of_clip = stored["TS1"]
    of_clip["data_3d"] = np.concatenate([of_clip["data_2d"], np.zeros((8, 17, 1))], -1)
    of_clip["data_3d"][1] += np.random.default_rng(0).normal(0, 500, (17, 3))
    np.savez(tmp_path / "data_test_3dhp.npz", data=stored)
    metrics = evaluate_3dhp(tmp_path, Predictor(encoder, FromPixels(), flip=False))["metrics"]
    assert metrics["mpjpe"] == pytest.approx(0, abs=1e-2)
    assert metrics["pck"] == 100
    assert metrics["auc"] == pytest.approx(100 * 30 / 31)
    of_clip["valid"][:] = 0
    np.savez(tmp_path / "data_test_3dhp.npz", data=stored)
    with pytest.raises(ValueError, match="no frame of TS1 is valid"):
        evaluate_3dhp(tmp_path, Predictor(encoder, FromPixels()))


# Actions


@pytest.fixture(scope="module")
def ntu_head(tmp_path_factory):
    """An action head of NTU's classes, in another order than theirs."""
    folder = tmp_path_factory.mktemp("ntu")
    torch.manual_seed(1)
    head = head_class("action")(channels=16, labels=list(NTU_ACTIONS[59::-1]), hidden=16)
    save_head(head, folder / "action", "action", "tiny")
    return folder / "action"


def _recordings() -> list[dict]:
    """Two setups, cameras and subjects (1 is for training, 3 is not), three classes; the second has two persons."""
    return [
        annotation(
            f"S001C00{camera}P00{subject}R001A0{action:02d}", action - 1, 1 + (action == 55), seed=100 * camera + action
        )
        for camera in (1, 2)
        for subject in (1, 3)
        for action in (1, 55, 60)
    ]


def test_ntu60_is_scored_on_the_published_part(tmp_path, encoder, ntu_head):
    write_pyskl(tmp_path / "ntu60.pkl", _recordings())
    predictor = Predictor(encoder, load_head(str(ntu_head)))
    result = evaluate_ntu60_xsub(tmp_path / "ntu60.pkl", predictor)
    right = []
    for stored in _recordings():
        if "P003" not in stored["frame_dir"]:
            continue
        xy, score = (torch.from_numpy(stored[key].astype(np.float32)) for key in ("keypoint", "keypoint_score"))
        persons = [Keypoints(a, b, COCO_17, 30.0, 1920, 1080) for a, b in zip(xy, score, strict=True)]
        probability = sum(predictor.motion(person).logit for person in persons) / len(persons)
        right.append(NTU_ACTIONS[59::-1][int(probability.argmax())] == NTU_ACTIONS[stored["label"]])
    assert result["metrics"]["top1"] == pytest.approx(100 * np.mean(right))
    assert (result["protocol"]["id"], result["protocol"]["clips"]) == ("ntu60-xsub/1", 6)
    xview = evaluate_ntu60_xview(tmp_path / "ntu60.pkl", predictor)
    assert (xview["protocol"]["id"], xview["protocol"]["clips"]) == ("ntu60-xview/1", 6)
    with pytest.raises(ValueError, match="different protocols"):
        require_comparable(result, xview)


def test_a_split_that_is_not_the_published_one_is_refused(tmp_path, encoder, ntu_head):
    recordings = _recordings()
    names = [r["frame_dir"] for r in recordings]
    predictor = Predictor(encoder, load_head(str(ntu_head)))
    write_pyskl(tmp_path / "x.pkl", recordings, xsub_val=[n for n in names if "P003" in n], xview_val=names[:3])
    assert evaluate_ntu60_xsub(tmp_path / "x.pkl", predictor)["protocol"]["clips"] == 6
    with pytest.raises(ValueError, match="its split 'xview_val' is not the published one: 3 recordings differ"):
        evaluate_ntu60_xview(tmp_path / "x.pkl", predictor)


def test_a_head_of_other_classes_is_refused(tmp_path, tiny, encoder):
    write_pyskl(tmp_path / "x.pkl", _recordings())
    with pytest.raises(ValueError, match=r"the head's classes are not NTU RGB.D's 60: 'walk' is no class"):
        evaluate_ntu60_xsub(tmp_path / "x.pkl", Predictor(encoder, load_head(str(tiny / "action"))))
    few = head_class("action")(channels=16, labels=["A001", "A002"], hidden=8)
    few.eval()
    with pytest.raises(ValueError, match=r"has 2 of NTU RGB.D's classes, the protocol the first 60"):
        evaluate_ntu60_xsub(tmp_path / "x.pkl", Predictor(encoder, few))
    with pytest.raises(ValueError, match="the head predicts JointMotion; the protocol scores actions"):
        evaluate_ntu60_xsub(tmp_path / "x.pkl", Predictor(encoder, load_head(str(tiny / "pose3d"))))


def test_one_shot_finds_the_nearest_exemplar(tmp_path, encoder):
    """Every second exemplar once more as it is, the others far off; and a sample of a class that is not novel."""
    recordings = [annotation("S001C001P001R001A002", 1)]
    for index, name in enumerate(EXEMPLARS):
        exemplar = annotation(name, int(name[-3:]) - 1, frames=2, seed=index)
        noise = np.random.default_rng(index).normal(0, 300 * (index % 2), exemplar["keypoint"].shape)
        again = {"frame_dir": name.replace("C003", "C002"), "keypoint": exemplar["keypoint"] + noise.astype(np.float16)}
        recordings += [exemplar, {**exemplar, **again}]
    write_pyskl(tmp_path / "oneshot.pkl", recordings)
    result = evaluate_ntu120_oneshot(tmp_path / "oneshot.pkl", Predictor(encoder))
    assert (result["protocol"]["id"], result["protocol"]["clips"]) == ("ntu120-oneshot/1", 20)
    clips = load_pyskl(tmp_path / "oneshot.pkl")[1:]
    vector = {clip.name: Predictor(encoder).embed(clip.keypoints).per_clip().double().numpy() for clip in clips}
    right = []
    for name in (clip.name for clip in clips if "C002" in clip.name):
        cosine = [
            vector[name] @ vector[e] / np.linalg.norm(vector[name]) / np.linalg.norm(vector[e]) for e in EXEMPLARS
        ]
        right.append(EXEMPLARS[int(np.argmax(cosine))][-3:] == name[-3:])
    assert all(right[::2])
    assert not all(right[1::2])
    assert result["metrics"]["top1"] == result["metrics"]["macro_accuracy"] == pytest.approx(100 * np.mean(right))
    write_pyskl(tmp_path / "few.pkl", recordings[2:])
    with pytest.raises(ValueError, match=r"lacks the exemplar\(s\) S001C003P008R001A001; the protocol needs all 20"):
        evaluate_ntu120_oneshot(tmp_path / "few.pkl", Predictor(encoder))


# By name


def test_a_protocol_by_name_writes_what_it_measured(tmp_path, tiny):
    write_videopose3d(tmp_path, ("Walking",), frames=4)
    names = str(tiny / "encoder"), str(tiny / "pose3d")
    result = evaluate_protocol("h36m", tmp_path, *names, tmp_path / "result.json", options={"detector": "gt"})
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert (result["encoder"], result["head"]) == names
    assert result["protocol"]["keypoints"] == "gt"
    require_comparable(result, result)
    unflipped = evaluate_protocol("h36m", tmp_path, *names, flip=False, options={"detector": "gt"})
    with pytest.raises(ValueError, match="cannot be compared: flip_averaging: True and False"):
        require_comparable(result, unflipped)
    with pytest.raises(ValueError, match="without a protocol id cannot be compared"):
        require_comparable(result, {"metrics": {}})


def test_names_and_heads_that_do_not_fit_are_refused(tmp_path, tiny):
    encoder, head = str(tiny / "encoder"), str(tiny / "pose3d")
    with pytest.raises(ValueError, match=r"unknown protocol 'h36n'; did you mean 'h36m'.*known: h36m, 3dhp"):
        evaluate_protocol("h36n", tmp_path, encoder, head)
    with pytest.raises(ValueError, match="protocol 'h36m' needs a head"):
        evaluate_protocol("h36m", tmp_path, encoder)
    with pytest.raises(ValueError, match=r"compares embeddings; it takes no head, or .*, got Pose3DHead"):
        evaluate_protocol("ntu120-oneshot", tmp_path, encoder, head)
    with pytest.raises(ValueError, match="protocol '3dhp' takes no option 'detector'"):
        evaluate_protocol("3dhp", tmp_path, encoder, head, options={"detector": "gt"})


def test_the_command_prints_the_id_with_the_numbers(tmp_path, tiny, capsys):
    write_videopose3d(tmp_path, ("Walking",), frames=3)
    chosen = ["--encoder", str(tiny / "encoder"), "--data", str(tmp_path)]
    arguments = ["evaluate", "--protocol", "h36m", *chosen, "--head", str(tiny / "pose3d"), "--no-flip"]
    assert main([*arguments, "--output", str(tmp_path / "result.json")]) == 0
    printed = capsys.readouterr().out
    stored = json.loads((tmp_path / "result.json").read_text())
    assert "protocol: id h36m/videopose3d/2" in printed
    assert f"mpjpe           {stored['metrics']['mpjpe']:9.3f} mm" in printed
    assert stored["protocol"]["flip_averaging"] is False
    assert main([*arguments, "--annotation", "annot3"]) == 2
    assert "protocol 'h36m' takes no option 'annotation'; it takes detector" in capsys.readouterr().err
    assert main(["evaluate", *chosen, "--detector", "gt"]) == 2
    assert "--detector belongs to a published protocol; pass --protocol" in capsys.readouterr().err
