"""Says what kind of file something is, for the whole program: one line in `KINDS` for each kind.

Readers are modules of `keypoints/formats/` and `motion/readers/`, one for each kind, and are named here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from motionrep.files.advice import advice, nothing_to_read
from motionrep.files.contents import Contents, look
from motionrep.files.reading import reading
from motionrep.files.recognising import (
    Question,
    declares,
    either,
    has,
    is_checkpoint,
    is_container,
    is_easymocap,
    is_humanml3d_features,
    is_joint_array,
    is_motionbert_mesh,
    is_phalp,
    is_prompthmr,
    is_romp,
    is_sam3d_body,
    is_smpl_dict,
    is_vibe,
    is_wham,
    items_have,
)
from motionrep.files.recognising_keypoints import (
    has_picture_sizes,
    is_alphapose_pictures,
    is_deeplabcut,
    is_folder_of_pictures,
    is_folder_of_videos,
    is_keypoint_table,
    is_kinetics,
    is_mediapipe,
    is_mmpose_pictures,
    is_mmpose_results,
    is_nested_points,
    is_ntu,
    is_openpose,
    is_point_array,
    is_poseflow,
    is_ultralytics,
    is_videopose3d,
    is_yolo_labels,
)

Holds = Literal[
    "keypoints", "motion", "joints", "weights", "body", "embeddings", "camera", "actions", "video", "picture", "unknown"
]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    `reader` is the module whose function `read` reads it; None where no table of readers does. `recognise` says whether
    a file is of the kind, and may rely on those before it in `KINDS` having said no. `suffixes` are the usual ones.
    `takes_fps`: the file does not tell its frame rate, or holds several, so that the user may give it. `needs_size`: it
    does not tell the size of the picture, unless `tells_size` says that it does. `own_worlds`: each of its persons has
    a world of its own. `both_axes`: it has the camera's axes and the world's, of which the user may choose.
    `written_by` and `known_by`, who writes such files and what they are recognised by, are for the page of formats
    (`files.format_page`).
    """

    name: str
    holds: Holds
    reader: str | None
    recognise: Question
    suffixes: tuple[str, ...] = ()
    takes_fps: bool = False
    needs_size: bool = False
    tells_size: Question | None = None
    own_worlds: bool = False
    both_axes: bool = False
    written_by: str = ""
    known_by: str = ""

    @property
    def read(self) -> Callable[..., Any]:
        """The function that reads such files; it takes the `Contents` and the options of its package.

        It raises ValueError that names the file, whatever is wrong with that.
        """
        if self.reader is None:
            raise ValueError(f"{self.name}: files of this kind have no reader")
        read = import_module(self.reader).read

        def named(contents: Contents, *options: Any) -> Any:
            with reading(contents.path, self.name):
                return read(contents, *options)

        return named


def kind_of(file: Path | str | Contents) -> Kind:
    """What kind of file something is; one that holds "unknown" and is called after what was found where none fits.

    Raises:
        FileNotFoundError: No such file or folder.
        OSError: It cannot be read.
    """
    contents = file if isinstance(file, Contents) else look(file)
    with reading(contents.path):
        known = next((kind for kind in KINDS if kind.recognise(contents)), None)
    return known or Kind(contents.description, "unknown", None, lambda _: False)


def require_kind(contents: Contents, *wanted: Holds) -> Kind:
    """The kind of a file that holds what is wanted.

    Raises:
        ValueError: It holds something else, is of no known kind, or is broken; the message says what it is and what to
            do with it.
    """
    kind = kind_of(contents)
    if kind.holds in wanted:
        return kind
    if kind.holds != "unknown":
        what, remedy = _MEANING[kind.holds]
        raise ValueError(f"{contents.path}: holds {what} ({kind.name}); {remedy.format(path=contents.path)}")
    if (reason := nothing_to_read(contents)) is not None:
        raise ValueError(f"{contents.path}: {reason}")
    if contents.fault is not None:
        raise contents.fault
    if (inside := _kind_inside(contents)) is not None and inside.holds in wanted:
        raise ValueError(
            f"{contents.path}: its files are clips of their own ({inside.name}); read them one by one, or all of them "
            "with motionrep embed or motionrep predict"
        )
    sought = " or ".join(_MEANING[holds][0] for holds in wanted)
    raise ValueError(
        f"{contents.path}: is {kind.name}, not {sought} of a kind that motionrep reads ({names(*wanted)}); "
        f"{advice(contents, of_keypoints='keypoints' in wanted)}"
    )


def _kind_inside(contents: Contents) -> Kind | None:
    """The kind of the first file of a folder; None of a file."""
    files = (contents.path / name for name in contents.fields) if contents.container == "folder" else ()
    return next((kind_of(file) for file in files if file.is_file()), None)


def lacks_size(contents: Contents) -> bool:
    """Whether a file is of keypoints and does not tell the size of the picture."""
    kind = kind_of(contents)
    return kind.needs_size and not (kind.tells_size is not None and kind.tells_size(contents))


def names(*holds: Holds) -> str:
    """The kinds of files that hold something, in one line."""
    return ", ".join(dict.fromkeys(kind.name for kind in KINDS if kind.holds in holds))


def suffixes(*holds: Holds) -> tuple[str, ...]:
    """The usual suffixes of files that hold something, in alphabetical order."""
    return tuple(sorted({suffix for kind in KINDS if kind.holds in holds for suffix in kind.suffixes}))


# What a file holds, and what to do with it where something else was wanted.
_MEANING: dict[Holds, tuple[str, str]] = {
    "keypoints": (
        "keypoints", "read them with motionrep.load_keypoints, or recover a motion from them with motionrep predict"
    ),
    "motion": ("a motion", "read it with motionrep.load_motion, or show it with motionrep render"),
    "joints": (
        "joint positions",
        "read them with motionrep.load_joints, or make a body motion with motionrep fit {path} --output body.npz",
    ),
    "weights": ("weights of a network", "load them with motionrep.load_encoder or motionrep.load_head"),
    "body": ("a body model", "load it with motionrep.load_body_model"),
    "embeddings": ("a table of embeddings", "motionrep plot draws it"),
    "camera": ("a camera", "read it with motionrep.read_camera"),
    "actions": ("recognised actions", "motionrep render --labels shows them"),
    "video": ("a video", "motionrep detect finds the keypoints in it, motionrep predict recovers motion from it"),
    "picture": ("a picture", "motionrep detect finds the keypoints in it, motionrep predict recovers motion from it"),
}  # fmt: skip


def _detector(
    name: str,
    module: str,
    recognise: Question,
    suffixes: tuple[str, ...] = (".json",),
    tells_size: Question | None = None,
    *,
    written_by: str,
    known_by: str,
) -> Kind:
    """A file of a 2D detector, which need not tell the frame rate or the size of the picture."""
    reader = f"motionrep.keypoints.formats.{module}"
    return Kind(
        name, "keypoints", reader, recognise, suffixes, takes_fps=True, needs_size=True, tells_size=tells_size,
        written_by=written_by, known_by=known_by,
    )  # fmt: skip


_MOTION = "motionrep.motion.readers"

KINDS: tuple[Kind, ...] = (
    Kind("folder of weights", "weights", None, has("folder", "config.json", "model.safetensors"),
         written_by="`save_pretrained`, `save_head`",
         known_by="`config.json` and `model.safetensors`"),
    Kind("checkpoint", "weights", None, is_checkpoint, (".bin", ".pt", ".pth", ".safetensors"),
         written_by="published encoders, `torch.save`, safetensors",
         known_by="named weights"),
    Kind("SMPL", "body", None, either(*(has(it, "v_template", "J_regressor") for it in ("npz", "pickle"))),
         written_by="SMPL, SMPL-H, SMPL-X, the open body",
         known_by="`v_template` and `J_regressor`"),
    Kind("Parquet", "embeddings", None, has("parquet", "embedding"), (".parquet",),
         written_by="`motionrep embed`",
         known_by="a column `embedding`"),
    Kind("JSON", "camera", None, either(has("json", "fx"), has("json", "hfov_deg")), (".json",),
         written_by="`write_camera`, `predict --camera`",
         known_by="`fx` or `hfov_deg`"),
    Kind("JSON", "actions", None, has("json", "best", "probability"), (".json",),
         written_by="`motionrep predict` with an action head",
         known_by="`best` and `probability`"),
    Kind("motionrep keypoints", "keypoints", "motionrep.keypoints.formats.own",
         declares("motionrep keypoints", "0.xy_px"), (".npz",),
         written_by="`save_keypoints`, `motionrep convert`",
         known_by="`format`"),
    _detector("OpenPose", "openpose", is_openpose, tells_size=has_picture_sizes,
         written_by="OpenPose (folder), Pose2Sim, AlphaPose's `open` and `cmu`, pose lists of ControlNet's tools",
         known_by="`people` or `bodies` in a frame, a list, a dict or a folder of frames"),
    _detector("MMPose", "mmpose", either(has("json", "instance_info"), is_mmpose_results, items_have("instances"),
                                         items_have("keypoint_scores"), is_mmpose_pictures),
         written_by="MMPose's demos and inferencer, Sapiens; one file, or one for each picture",
         known_by="`instance_info`, `instances` or `keypoint_scores`"),
    _detector("Ultralytics YOLO", "ultralytics", is_ultralytics,
         written_by="`Results.to_json`; one file, or one for each picture",
         known_by="detections whose `keypoints` have `x`, `y`, `visible`"),
    _detector("AlphaPose", "alphapose", either(items_have("image_id", "box"), items_have("image_id", "idx"),
                                             is_alphapose_pictures, is_poseflow),
         written_by="AlphaPose, its tracker PoseFlow, `save_keypoints` (.json)",
         known_by="`image_id` with `box` or `idx`; a dict of `keypoints` with `scores` by picture"),
    _detector("COCO", "coco", either(items_have("image_id"), has("json", "images", "annotations")),
              tells_size=has_picture_sizes,
         written_by="COCO results and annotations: PoseTrack, CVAT, Label Studio, Detectron2, ViTPose",
         known_by="`image_id`; `images` and `annotations`"),
    _detector("MediaPipe", "mediapipe", is_mediapipe, (".json", ".jsonl", ".ndjson"), tells_size=has_picture_sizes,
         written_by="users of MediaPipe and TensorFlow.js (MoveNet, PoseNet), as JSON or JSON lines",
         known_by="landmarks with `x` and `y`, frame by frame"),
    _detector("Kinetics-skeleton", "kinetics", is_kinetics,
         written_by="ST-GCN's data set and tools",
         known_by="`data` with a `skeleton` in each frame"),
    _detector("lists of points in JSON", "nested", is_nested_points, tells_size=has_picture_sizes,
         written_by="`json.dump(keypoints.tolist())`",
         known_by="lists of `[x, y]` or `[x, y, confidence]`, by frame, and by person where there are several"),
    _detector("YOLO labels", "yolo_labels", is_yolo_labels, (".txt",),
         written_by="Ultralytics `save_txt=True`: a folder of .txt",
         known_by="lines of class, box and points in fractions"),
    _detector("DeepLabCut", "deeplabcut", is_deeplabcut, (".csv", ".h5"),
         written_by="DeepLabCut: .h5, and .csv with `save_as_csv=True`",
         known_by="rows `bodyparts` and `coords`; pandas' table of such columns"),
    _detector("SLEAP", "sleap", has("hdf5", "tracks", "node_names", "track_names"), (".h5",),
         written_by="SLEAP's analysis export, sleap-io",
         known_by="`tracks`, `node_names`, `track_names`"),
    _detector("table of keypoints", "table", is_keypoint_table, (".csv", ".tsv"),
         written_by="users of MediaPipe, MoveNet and spreadsheets",
         known_by="columns such as `nose_x` or `x1`; a row for each joint; numbers only, with `--layout`"),
    _detector("VideoPose3D", "videopose3d", is_videopose3d, (".npz",), has("npz", "metadata"),
         written_by="VideoPose3D's `prepare_data_2d_custom.py`",
         known_by="`positions_2d`"),
    _detector("array of 2D points", "point_array", is_point_array, (".npy", ".npz"),
         written_by="`np.save` of one person",
         known_by="one array (frames, joints, 2), or 3 where the third is a confidence"),
    Kind("NTU skeleton", "keypoints", "motionrep.keypoints.formats.ntu", is_ntu, (".skeleton",),
         written_by="NTU RGB+D (Kinect v2)",
         known_by="counts of frames and bodies, ten numbers of a body"),
    Kind("motionrep body motion", "motion", f"{_MOTION}.own", declares("motionrep body motion", "local_rotmat"),
         (".npz",),
         written_by="`save_motion`, `motionrep predict`",
         known_by="`format`"),
    Kind("BVH", "motion", f"{_MOTION}.bvh", is_container("bvh"), (".bvh",),
         written_by="Blender, motion capture suits, CMU, LAFAN1, Mixamo",
         known_by="`HIERARCHY`"),
    Kind("AMASS", "motion", f"{_MOTION}.amass", has("npz", "poses"), (".npz",),
         written_by="AMASS, BEDLAM, SMPL-X tools",
         known_by="`poses`"),
    Kind("3DPW", "motion", f"{_MOTION}.threedpw", has("pickle", "poses", "trans", "cam_poses"), (".pkl",),
         takes_fps=True, both_axes=True,
         written_by="3DPW",
         known_by="`poses`, `trans`, `cam_poses`"),
    Kind("WHAM", "motion", f"{_MOTION}.wham", is_wham, (".pkl",), takes_fps=True, own_worlds=True,
         both_axes=True,
         written_by="WHAM `--save_pkl`",
         known_by="`pose_world` or `trans_world` of each person"),
    Kind("MotionBERT mesh", "motion", f"{_MOTION}.motionbert_mesh", is_motionbert_mesh, (".pkl",), takes_fps=True,
         own_worlds=True,
         written_by="MotionBERT's mesh_det_h36m.pkl, mesh_det_pw3d.pkl, mesh_det_coco.pkl",
         known_by="`smpl_pose` and `smpl_shape` in `train` or `test`"),
    Kind("GVHMR", "motion", f"{_MOTION}.gvhmr",
         either(*(has(it, "smpl_params_global") for it in ("torch", "pickle"))), (".pt", ".pkl"),
         both_axes=True,
         written_by="GVHMR's demo",
         known_by="`smpl_params_global`"),
    Kind("SMPL-X in parts", "motion", f"{_MOTION}.pose_parts", has("npz", "root_orient", "pose_body", "trans"),
         (".npz",), takes_fps=True,
         written_by="tools that keep SMPL-X's pose in parts",
         known_by="`root_orient`, `pose_body`, `trans`"),
    Kind("arguments of the package smplx", "motion", f"{_MOTION}.smplx_arguments",
         has("npz", "global_orient", "body_pose"), (".npz",), takes_fps=True,
         written_by="`motionrep export --format smplx`, users of the package `smplx`",
         known_by="`global_orient` and `body_pose`"),
    Kind("AIST++", "motion", f"{_MOTION}.aist", has("pickle", "smpl_poses", "smpl_trans", "smpl_scaling"), (".pkl",),
         written_by="AIST++",
         known_by="`smpl_poses`, `smpl_trans`, `smpl_scaling`"),
    Kind("PHALP and 4D-Humans", "motion", f"{_MOTION}.phalp", is_phalp, (".pkl",), takes_fps=True,
         written_by="PHALP, 4D-Humans' `track.py`",
         known_by="`smpl` of each person in each frame"),
    Kind("ROMP", "motion", f"{_MOTION}.romp", is_romp, (".npz",), takes_fps=True,
         written_by="ROMP",
         known_by="its results in .npz"),
    Kind("VIBE", "motion", f"{_MOTION}.vibe", is_vibe, (".pkl",), takes_fps=True,
         written_by="VIBE, and programs made from it such as TCMR and PARE",
         known_by="`pose`, `betas` and `orig_cam` of each person"),
    Kind("TRAM", "motion", f"{_MOTION}.tram", has("npy", "pred_rotmat", "pred_shape", "pred_trans", "frame"), (".npy",),
         takes_fps=True,
         written_by="TRAM: hps_track_0.npy",
         known_by="`pred_rotmat`, `pred_shape`, `pred_trans`, `frame`"),
    Kind("PromptHMR", "motion", f"{_MOTION}.prompthmr", is_prompthmr, (".pkl",), takes_fps=True, both_axes=True,
         written_by="PromptHMR's video pipeline: results.pkl",
         known_by="`smplx_world` of each of its `people`"),
    Kind("CLIFF", "motion", f"{_MOTION}.cliff", has("npz", "pose", "shape", "global_t", "detection_all"), (".npz",),
         takes_fps=True,
         written_by="CLIFF's demo with `--save_results`",
         known_by="`pose`, `shape`, `global_t`, `detection_all`"),
    Kind("HybrIK", "motion", f"{_MOTION}.hybrik",
         has("pickle", "pred_thetas", "pred_cam_root", "bbox", "pred_betas"), (".pk",), takes_fps=True,
         written_by="HybrIK's demo_video.py with `--save-pk`",
         known_by="`pred_thetas`, `pred_cam_root`, `bbox`"),
    Kind("EasyMocap", "motion", f"{_MOTION}.easymocap", is_easymocap, (".json",), takes_fps=True, both_axes=True,
         written_by="EasyMocap's write_smpl: a folder of .json",
         known_by="`Rh` and `Th` of each person"),
    Kind("GLAMR", "motion", f"{_MOTION}.glamr", has("pickle", "person_data", "cam_pose"), (".pkl",),
         both_axes=True,
         written_by="GLAMR",
         known_by="`person_data` and `cam_pose`"),
    Kind("dict of SMPL's parameters", "motion", f"{_MOTION}.smpl_dict", is_smpl_dict, (".pkl", ".pt", ".json"),
         takes_fps=True, own_worlds=True, both_axes=True,
         written_by="SMPLify-X, MMHuman3D and others, as a pickle, by `torch.save`, `np.save` or `json.dump`",
         known_by="`global_orient` and `body_pose`"),
    Kind("DeepMimic", "motion", f"{_MOTION}.deepmimic", has("json", "Frames", "Loop"), (".txt", ".json"),
         written_by="DeepMimic",
         known_by="`Frames` and `Loop`"),
    Kind("motionrep joint motion", "joints", f"{_MOTION}.own_joints", declares("motionrep joint motion", "position_m"),
         (".npz",),
         written_by="`save_motion`, `motionrep predict`",
         known_by="`format`"),
    Kind("results of MDM", "joints", f"{_MOTION}.generated_joints", has("npy", "motion", "lengths"), (".npy",),
         takes_fps=True,
         written_by="MDM's `results.npy`",
         known_by="`motion` and `lengths`"),
    Kind("HumanML3D features", "joints", f"{_MOTION}.humanml3d_features", is_humanml3d_features, (".npy", ".npz"),
         takes_fps=True,
         written_by="HumanML3D's new_joint_vecs",
         known_by="one array (frames, 263)"),
    Kind("SAM 3D Body", "joints", f"{_MOTION}.sam3d_body", is_sam3d_body, (".pkl", ".npy", ".npz"), takes_fps=True,
         written_by="SAM 3D Body",
         known_by="its results by frame"),
    Kind("C3D markers", "joints", f"{_MOTION}.c3d", is_container("c3d"), (".c3d",), takes_fps=True,
         written_by="Vicon, Qualisys, OptiTrack",
         known_by="the first bytes"),
    Kind("OpenSim markers", "joints", f"{_MOTION}.opensim", is_container("trc"), (".trc",), takes_fps=True,
         written_by="OpenSim, Pose2Sim, OpenCap",
         known_by="`PathFileType`"),
    Kind("array of shape (frames, joints, 3 or 4)", "joints", f"{_MOTION}.joint_array", is_joint_array,
         (".npy", ".npz"), takes_fps=True,
         written_by="`np.save` of positions",
         known_by="one array of that shape"),
    Kind("video file", "video", None, is_container("mp4", "webm", "avi", "video"),
         (".mp4", ".mov", ".webm", ".mkv", ".avi"),
         written_by="cameras",
         known_by="the first bytes"),
    Kind("folder of pictures", "picture", None, is_folder_of_pictures,
         written_by="`ffmpeg`, cameras",
         known_by="names such as 000001.jpg"),
    Kind("folder of videos", "video", None, is_folder_of_videos,
         written_by="cameras",
         known_by="names such as dance.mp4"),
    Kind("image file", "picture", None, is_container("png", "jpg", "gif", "webp", "image"),
         (".png", ".jpg", ".jpeg", ".gif"),
         written_by="cameras",
         known_by="the first bytes"),
)  # fmt: skip
