"""Training and use of a mesh head on a body that the user has, on files written in SMPL's containers."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from smpl_containers import write_smpl
from training_config import CONFIG

from motionrep.body import load_body_model
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.head_api.loading import load_head
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.motion.exporting import export_motion
from motionrep.motion.other_bodies import with_rotations
from motionrep.training.run import train
from motionrep.types import Keypoints

BETAS = torch.linspace(-1.5, 1.5, 10)


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    return write_smpl(tmp_path_factory.mktemp("bodies") / "SMPL_NEUTRAL.pkl", "smpl")


@pytest.fixture(scope="module")
def amass(tmp_path_factory, smpl):
    """AMASS files of that body, with a person's betas; `unseen` validates, by the hash of its name."""
    folder, body = tmp_path_factory.mktemp("amass"), load_body_model(smpl)
    for name, action in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        motion = with_rotations(authored_motion(action, seconds=1.5), body)
        export_motion(replace(motion, betas=BETAS), folder / f"{name}.npz")
    return folder


@pytest.fixture(scope="module")
def config(smpl):
    variety = replace(CONFIG.variety, own_betas=1.0)
    return replace(CONFIG, head="mesh", body=str(smpl), variety=variety)


@pytest.fixture(scope="module")
def run(config, amass, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "smpl"
    return output, train(config, [amass], output)


def test_clips_have_the_body_and_the_betas_of_the_files(amass, smpl):
    body = load_body_model(smpl)
    clips = load_motion_folder(amass, "val", body_model=str(smpl))
    torch.testing.assert_close(clips[0].motion.betas, BETAS)
    samples = SynthesizedClips(clips, 8, 8, windows=EveryWindow(own_betas=True), body=body)
    batch = samples.__getitems__([(0, 0), (0, 1)])
    torch.testing.assert_close(batch["betas"], BETAS.expand(2, 10))
    still = torch.zeros(2, 8, 3)
    point_m = body.points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], still)
    torch.testing.assert_close(point_m - point_m[:, :, :1], batch["position_m"], atol=2e-5, rtol=0)
    with pytest.raises(ValueError, match="load the folder with body_model='open'"):
        SynthesizedClips(clips, 8, 8)


def test_the_head_says_which_body_it_was_trained_on(run, smpl):
    output, scores = run
    assert 0 < scores["pve"] < 2000
    told = json.loads((output / "head" / "config.json").read_text())["config"]
    assert (told["body"], told["betas"], len(told["body_digest"])) == (str(smpl), 10, 64)
    assert not list(output.rglob("*SMPL*")), "bodies under a licence are not copied"
    assert load_head(output / "head").body.name == str(smpl)


def test_another_body_in_its_place_is_refused(run, tmp_path):
    output, _ = run
    other, moved = write_smpl(tmp_path / "other.npz", "smpl", seed=5), tmp_path / "elsewhere.pkl"
    with pytest.raises(ValueError, match=r"this head is for another body .* than .*other\.npz.*--body"):
        load_head(output / "head", body=str(other))
    shutil.copy(load_head(output / "head").body.name, moved)
    assert load_head(output / "head", body=str(moved)).body.name == str(moved)
    with pytest.raises(ValueError, match=r"a head of the open body, got body .*; train one for that body"):
        load_head("mesh-ktpformer-s", body=str(moved))


def test_scores_are_those_of_the_body(run, amass, smpl):
    output, _ = run
    views = SyntheticViews(views=1, own_betas=True)
    result = evaluate(amass, str(output / "encoder"), str(output / "head"), options=views)
    assert result["protocol"]["bodies"].startswith("body SMPL_NEUTRAL.pkl (")
    assert result["metrics"]["pve"] > 0
    others = evaluate(amass, str(output / "encoder"), str(output / "head"), options=SyntheticViews(views=1))
    assert others["metrics"] != result["metrics"]


def test_a_command_predicts_renders_and_hands_over_on_the_body(run, tmp_path, smpl):
    output, _ = run
    moved = tmp_path / "bodies" / "SMPL_NEUTRAL.pkl"
    moved.parent.mkdir()
    shutil.copy(smpl, moved)
    rng = torch.Generator().manual_seed(0)
    xy_px = 300 + 20 * torch.randn(12, 17, 2, generator=rng)
    save_keypoints([Keypoints(xy_px, torch.ones(12, 17), H36M_17, 30.0, 640, 480)], tmp_path / "clip.npz")
    command = ["predict", str(tmp_path / "clip.npz"), "--run", str(output), "--body", str(moved), "--refine"]
    assert not cli.main([*command, "--output", str(tmp_path / "results")])
    (result,) = (tmp_path / "results").glob("*.npz")
    with np.load(result) as file:
        assert str(file["body_model"]) == str(moved)
    assert not cli.main(["render", str(result), "--output", str(tmp_path / "clip.gif"), "--height", "64"])
    assert not cli.main(["export", str(result), "--format", "smplx", "--output", str(tmp_path / "smplx.npz")])
    with np.load(tmp_path / "smplx.npz") as file:
        assert file["body_pose"].shape == (12, 69)


def test_files_of_smpl_are_drawn_on_their_body(amass, smpl, tmp_path):
    walk = str(amass / "walk.npz")
    assert not cli.main(["export", walk, "--body", str(smpl), "--output", str(tmp_path / "walk.ply")])
    header = (tmp_path / "walk" / "walk_000000.ply").read_bytes()[:200]
    assert b"element vertex 6999" in header
    assert not cli.main(["render", walk, "--body", str(smpl), "--output", str(tmp_path / "walk.gif"), "--height", "64"])


@pytest.mark.parametrize("kind", ["smplh", "smplx"])
def test_bodies_with_fingers_get_hands_that_smplx_has(tmp_path, kind):
    path = write_smpl(tmp_path / f"{kind.upper()}_NEUTRAL.npz", kind, loose_vertices=30)
    head = load_head_class()(channels=16, body=str(path))
    output = head(torch.randn(2, 4, 17, 16), torch.ones(2, 4, dtype=torch.bool))
    assert torch.equal(output["local_rotmat"][:, :, 22:], torch.eye(3).expand(2, 4, 2, 3, 3))


def load_head_class():
    from motionrep.head_api.loading import head_class

    return head_class("mesh")


def test_a_head_of_another_body_is_not_trained_further(run, amass, config, tmp_path):
    output, _ = run
    other = write_smpl(tmp_path / "other.npz", "smpl", seed=5)
    changed = replace(config, head=str(output / "head"), encoder=str(output / "encoder"), new_encoder=None)
    with pytest.raises(ValueError, match="is for another body"):
        train(replace(changed, body=str(other)), [amass], tmp_path / "run")
    train(replace(changed, body=None), [amass], tmp_path / "further")
    assert load_head(tmp_path / "further" / "head").body.name == config.body
