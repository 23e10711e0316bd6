"""Detectors of other libraries in miniature: real networks with random weights, in files as the libraries read them."""

from pathlib import Path

import numpy as np
import torch

PEOPLE_PX, POSE_PX = (96, 96), (64, 48)


def vitpose_folders(folder: Path, joints: int = 17, experts: int = 1) -> tuple[Path, Path]:
    """Folders of a ViTPose, or ViTPose+ with several experts, and of an RT-DETR that takes much for a person."""
    import transformers as tf
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    torch.manual_seed(0)
    height, width = POSE_PX
    moe = {"num_experts": experts, "part_features": 8} if experts > 1 else {}
    backbone = tf.VitPoseBackboneConfig(
        image_size=[height, width], patch_size=[16, 16], hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        out_indices=[2], **moe,
    )  # fmt: skip
    pose = tf.VitPoseForPoseEstimation(tf.VitPoseConfig(backbone_config=backbone, num_labels=joints))
    for name, value in pose.named_parameters():
        if name.startswith("head"):
            torch.nn.init.normal_(value, 0, 0.3)
    torch.manual_seed(1)
    resnet = tf.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    people = tf.RTDetrForObjectDetection(
        tf.RTDetrConfig(
            backbone_config=resnet,
            encoder_hidden_dim=32,
            encoder_in_channels=[16, 32, 64],
            encoder_ffn_dim=32,
            encoder_attention_heads=2,
            d_model=32,
            num_queries=8,
            decoder_ffn_dim=32,
            decoder_layers=2,
            decoder_attention_heads=2,
            decoder_in_channels=[32, 32, 32],
            num_denoising=0,
            id2label={0: "person", 1: "chair"},
            label2id={"person": 0, "chair": 1},
        )
    )
    torch.nn.init.zeros_(people.model.decoder.class_embed[-1].bias)
    pose.save_pretrained(folder / "pose")
    VitPoseImageProcessorPil(size={"height": height, "width": width}).save_pretrained(folder / "pose")
    people.save_pretrained(folder / "people")
    size = {"height": PEOPLE_PX[0], "width": PEOPLE_PX[1]}
    RTDetrImageProcessorPil(size=size).save_pretrained(folder / "people")
    return folder / "pose", folder / "people"


def rtmpose_files(folder: Path, joints: int = 17) -> tuple[Path, Path]:
    """ONNX files with the inputs and outputs of RTMPose and of YOLOX, whose people depend on the picture."""
    height, width = POSE_PX
    places = {"simcc_x": (joints, 2 * width), "simcc_y": (joints, 2 * height)}
    _save(_looking(POSE_PX, places, batch="batch"), folder / "pose.onnx")
    boxes = np.array([[[20, 10, 50, 80, 0.9], [5, 5, 30, 60, 0.8], [1, 1, 9, 9, 0.1]]], np.float32)
    shares = np.array([[[0.02, 0.01, 0.02, 0.01, 0]] * 3], np.float32)
    _save(_moved(PEOPLE_PX, "dets", boxes, shares), folder / "people.onnx")
    return folder / "pose.onnx", folder / "people.onnx"


def rtmo_file(folder: Path, joints: int = 17) -> Path:
    """An ONNX file with the input and the outputs of RTMO."""
    rng = np.random.default_rng(0)
    boxes = np.array([[[5, 5, 40, 80, 0.95], [50, 20, 90, 90, 0.85], [1, 1, 9, 9, 0.2]]], np.float32)
    points = rng.uniform(5, 80, (1, 3, joints, 3)).astype(np.float32)
    points[..., 2] = rng.uniform(0.2, 1.0, (1, 3, joints))
    shares = np.zeros_like(points)
    shares[..., :2] = 0.02
    graph = _moved(PEOPLE_PX, "dets", boxes, np.zeros_like(boxes), ("keypoints", points, shares))
    _save(graph, folder / "one_stage.onnx")
    return folder / "one_stage.onnx"


def _save(model, path: Path) -> None:
    import onnx

    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _model(size_px, nodes, outputs, constants, batch: int | str):
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, *size_px])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _looking(size_px, outputs, batch):
    """Each output is a linear function of a small version of the picture."""
    from onnx import helper

    rng, pixels = np.random.default_rng(1), 3 * (size_px[0] // 16) * (size_px[1] // 16)
    nodes = [
        helper.make_node("AveragePool", ["input"], ["small"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["small"], ["flat"]),
    ]
    constants: dict[str, np.ndarray] = {}
    for name, shape in outputs.items():
        constants[f"{name}_weight"] = rng.normal(0, 0.05, (pixels, int(np.prod(shape)))).astype(np.float32)
        constants[f"{name}_shape"] = np.array([-1, *shape])
        nodes += [
            helper.make_node("MatMul", ["flat", f"{name}_weight"], [f"{name}_flat"]),
            helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]),
        ]
    return _model(size_px, nodes, {name: [batch, *shape] for name, shape in outputs.items()}, constants, batch)


def _moved(size_px, name, values, shares, *others):
    """Each output is constant values plus the mean of the picture's first channel times a share."""
    from onnx import helper

    nodes = [
        helper.make_node("Split", ["input"], ["first", "second", "third"], axis=1),
        helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0),
    ]
    outputs, constants = {}, {}
    for output, value, share in ((name, values, shares), *others):
        constants |= {f"{output}_value": value, f"{output}_share": share}
        nodes += [
            helper.make_node("Mul", ["mean", f"{output}_share"], [f"{output}_step"]),
            helper.make_node("Add", [f"{output}_value", f"{output}_step"], [output]),
        ]
        outputs[output] = list(value.shape)
    return _model(size_px, nodes, outputs, constants, 1)
