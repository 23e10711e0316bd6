"""Where the code of a page runs: a folder with the files that it names, and the names that it takes for granted."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import filmed_people
import numpy as np
import torch
import video_files
from fuzz_samples import SAMPLES
from paths import ROOT, WALK_BVH
from smpl_containers import write_smpl

import motionrep
from motionrep.body.finding import body_folder
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.layouts import COCO_17
from motionrep.motion.axes import in_camera
from motionrep.motion.other_bodies import with_rotations
from motionrep.rendering.video.writing import write_video


def seen(action: str, seconds: float = 0.5, seed: int = 0) -> motionrep.Keypoints:
    """Keypoints of a written motion in a picture of 1920 x 1080 px."""
    body, rng = motionrep.load_body_model("open"), np.random.default_rng(seed)
    motion = authored_motion(action, seed, seconds)
    camera = random_camera(motion, body, rng, 1920, 1080)
    return simulated_keypoints(in_camera(motion, body, camera), body, camera, COCO_17, rng)


def write_files(folder: Path) -> None:
    """The files that more than one page names."""
    film = filmed_people.film(("walk",), seconds=0.8, width_px=256, height_px=256)
    write_video(film.pictures, folder / "dance.mp4", film.fps)
    clip = seen("walk")
    for name in ("dance.json", "clip.json", "clips/walk.npz"):
        motionrep.save_keypoints([clip], folder / name)
    motionrep.save_keypoints([seen("wave")], folder / "clips" / "wave.npz")
    (folder / "clips.csv").write_text(
        "clip,label,split\nclips/walk.npz,walk,train\nclips/wave.npz,wave,train\nclips/walk.npz,walk,val\n"
    )
    for seed in range(3):
        motionrep.save_motion(authored_motion("walk", seed, 2.5), folder / "MOTIONS" / f"walk_{seed}.npz")
    shutil.copy(WALK_BVH, folder / "walk.bvh")
    person = motionrep.recover(clip)[0]
    person.save(folder / "results", "dance")
    motionrep.write_camera(person.camera, folder / "results" / "dance_camera.json")
    np.save(folder / "joints.npy", 1000 * person.placed.joints("h36m_17").position_m.numpy())
    (folder / "configs").symlink_to(ROOT / "configs")


def write_full_hd(path: Path) -> None:
    """The same in 1920 x 1080 px and with sound."""
    film = filmed_people.film(("walk",), seconds=0.8, width_px=480, height_px=270)
    pictures = [picture.repeat(4, 0).repeat(4, 1) for picture in film.pictures]
    video_files.filmed(path, pictures, np.arange(len(pictures)) / film.fps)


def write_bodies(**kinds: str) -> None:
    """Stand-ins for files of SMPL, where the user's are looked for."""
    body_folder().mkdir(parents=True)
    for name, kind in kinds.items():
        write_smpl(body_folder() / f"{name}.npz", kind)


def _readme(folder: Path) -> dict[str, Any]:
    write_bodies(SMPL_NEUTRAL="smpl")
    SAMPLES["WHAM"][0](folder).rename(folder / "wham.pkl")
    for name in ("ours.npz", "truth.npz"):
        motionrep.save_motion(authored_motion("walk", 0, 0.5), folder / name)
    clip = seen("walk")
    return {"array": torch.cat([clip.xy_px, clip.confidence[..., None]], -1)}


def _actions(folder: Path) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    encoder = motionrep.load_encoder("ktpformer-s")
    walk, wave = (motionrep.embed(seen(name, 2.5), encoder) for name in ("walk", "wave"))
    return {
        "embedding": walk, "embedding_a": walk, "embedding_b": wave, "embeddings": [walk, walk, wave], "other": wave,
        "Path": Path, "make_pipeline": make_pipeline, "StandardScaler": StandardScaler,
        "LogisticRegression": LogisticRegression,
    }  # fmt: skip


def _body(folder: Path) -> dict[str, Any]:
    import smplx

    write_bodies(SMPL_NEUTRAL="smpl", SMPLH_FEMALE="smplh", SMPLX_NEUTRAL="smplx")
    # The package picks vertices by number, for joints that nobody asks for here, and the stand-in has fewer.
    smplx.body_models.VERTEX_IDS["smplx"] = dict.fromkeys(smplx.body_models.VERTEX_IDS["smplx"], 0)
    shutil.copy(body_folder() / "SMPLX_NEUTRAL.npz", folder)
    motion = authored_motion("walk", 0, 0.5)
    female, neutral = motionrep.load_body_model("smplh-female"), motionrep.load_body_model("smplx-neutral")
    motionrep.export_motion(with_rotations(motion, female), folder / "walk_poses.npz")
    fitted = with_rotations(motion, neutral)
    return {"smplx": smplx, "fitted": fitted.to_smplx("numpy")}


def _cameras(folder: Path) -> dict[str, Any]:
    import roma

    write_full_hd(folder / "walk.mp4")
    (folder / "camera.json").write_text('{"hfov_deg": 60}')
    rows = np.zeros((12, 8))
    rows[:, 0], rows[:, 1], rows[:, 7] = np.arange(12) / 15, np.linspace(0, 0.1, 12), 1
    np.savetxt(folder / "trajectory.txt", rows)
    return {"clip": seen("walk"), "np": np, "torch": torch, "roma": roma}


def _gallery(folder: Path) -> dict[str, Any]:
    write_full_hd(folder / "dance.mp4")
    clip = seen("walk", 0.2)
    embedding = motionrep.embed(clip, motionrep.load_encoder("ktpformer-s"))
    truth = authored_motion("walk", 0, 0.2)
    motion = motionrep.load_head("mesh-ktpformer-s").predict(embedding)
    true = replace(truth, translation_m=motion.translation_m, frame="camera")
    joints = motionrep.load_head("pose3d-ktpformer-s").predict(embedding)
    from dataclasses import astuple

    return {
        "render": motionrep.render, "clip": clip, "embedding": embedding, "astuple": astuple, "motion": motion,
        "results": [(motion, "one.mp4")], "ada": motion, "ben": motion, "cleo": motion, "recovered": motion,
        "truth": true, "body_motion": motion, "joint_motion": joints,
    }  # fmt: skip


def _training(folder: Path) -> dict[str, Any]:
    shutil.copytree(folder / "MOTIONS", folder / "MORE_MOTIONS")
    return {}


def _viewer(folder: Path) -> dict[str, Any]:
    motionrep.export_motion(authored_motion("walk", 0, 0.5), folder / "amass.npz")
    clip = seen("walk", 0.2)
    embedding = motionrep.embed(clip, motionrep.load_encoder("ktpformer-s"))
    motion = motionrep.load_head("mesh-ktpformer-s").predict(embedding)
    return {"motion": motion, "keypoints": clip, "embedding": embedding}


def of_weights(name: str) -> dict[str, Any]:
    """What the card of shipped weights is about: an embedding of their encoder."""
    encoder = "ssr-stf-s" if "ssr-stf-s" in name else "ktpformer-s"
    return {"embedding": motionrep.embed(seen("walk"), motionrep.load_encoder(encoder))}


def _detection(folder: Path) -> dict[str, Any]:
    shutil.copy(folder / "dance.mp4", folder / "other.mp4")
    return {}


def _embeddings(folder: Path) -> dict[str, Any]:
    for action in ("walk", "wave"):
        for number in (1, 2):
            motionrep.save_keypoints([seen(action, seed=number)], folder / f"{action}_{number}.json")
    rows = [f"{action}_{number},{action}" for action in ("walk", "wave") for number in (1, 2)]
    (folder / "labels.csv").write_text("\n".join(["clip,action", *rows, ""]))
    return {}


def _scale(folder: Path) -> dict[str, Any]:
    motionrep.save_keypoints([seen("walk")], folder / "clips" / "more" / "walk.json")
    return {}


PLACES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "README": _readme, "actions": _actions, "body": _body, "cameras": _cameras, "detection": _detection,
    "embeddings": _embeddings, "gallery": _gallery, "scale": _scale,
    "training": _training, "viewer": _viewer,
}  # fmt: skip
