"""Converts the networks of MediaPipe's BlazePose from their .tflite files, which two public packages hold.

    pip download mediapipe==0.10.14 --no-deps --python-version 3.11 --only-binary :all:
    npm pack @mediapipe/pose@0.5.1675469404
    pip install "motionrep[convert]"
    python -m motionrep.detection.blazepose.convert mediapipe-0.10.14-*.whl mediapipe-pose-0.5.1675469404.tgz

Each network becomes a folder: `model.safetensors` with its weights, in float16 as in the source and packed by
`packing.py`, and `network.json`, the list of operations that `Network` runs. What only the outlines of people and their
3D points need is left out.
"""

import argparse
import hashlib
import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from motionrep.detection.blazepose.network import FORMAT
from motionrep.detection.blazepose.packing import packed
from motionrep.files.writing import written_beside

# For each network: the package's file, and what its outputs are called here.
NETWORKS = {
    "blazepose-people": (
        "wheel", "mediapipe/modules/pose_detection/pose_detection.tflite",
        {"Identity": "boxes", "Identity_1": "score_logit"},
    ),
    "blazepose-full": (
        "wheel", "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        {"Identity": "landmarks", "Identity_1": "score", "Identity_3": "heatmap_logit"},
    ),
    "blazepose-heavy": (
        "tarball", "package/pose_landmark_heavy.tflite",
        {"Identity": "landmarks", "Identity_1": "score", "Identity_3": "heatmap_logit"},
    ),
}  # fmt: skip
_ACTIVATIONS = {0: None, 1: "relu", 3: "relu6"}  # of the schema's ActivationFunctionType


def main() -> None:
    parser = argparse.ArgumentParser(description="Convert BlazePose's networks.")
    parser.add_argument("wheel", type=Path, help="mediapipe 0.10.14 from PyPI")
    parser.add_argument("tarball", type=Path, help="@mediapipe/pose 0.5 from npm")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "weights")
    arguments = parser.parse_args()
    for name, (package, member, outputs) in NETWORKS.items():
        content = read_member(getattr(arguments, package), member)
        description, weights = convert(content, outputs)
        source = {"package": getattr(arguments, package).name, "file": member}
        source["sha256"] = hashlib.sha256(content).hexdigest()
        folder = arguments.output / name
        folder.mkdir(parents=True, exist_ok=True)
        with written_beside(folder / "model.safetensors") as beside:
            beside.write_bytes(save(packed(weights)))
        with written_beside(folder / "network.json") as beside:
            beside.write_text(_as_json({"format": FORMAT, "source": source} | description), encoding="utf-8")


def read_member(package: Path, member: str) -> bytes:
    """A file of a wheel or of a tarball."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(member)
    with tarfile.open(package) as tarball:
        file = tarball.extractfile(member)
        assert file is not None
        return file.read()


def convert(content: bytes, outputs: dict[str, str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description and the weights of a .tflite file, as far as the named outputs need them.

    Raises:
        ValueError: An operation, or a variant of one, that `Network` does not have.
        ImportError: Without tflite and ai-edge-litert.
    """
    graph = _Graph.read(content)
    named = {
        int(index): outputs[name]
        for index in graph.table.OutputsAsNumpy()
        if (name := graph.table.Tensors(int(index)).Name().decode()) in outputs
    }
    wanted, operations = set(named), []
    for number in reversed(range(graph.table.OperatorsLength())):
        operator = graph.table.Operators(number)
        index = int(operator.OutputsAsNumpy()[0])
        if index in wanted and index not in graph.constants:
            operation = _operation(graph, operator)
            operations.insert(0, operation)
            wanted |= {int(name[1:]) for name in operation["inputs"]}
    weights = {f"t{index}": graph.constants[index] for index in sorted(wanted & graph.constants.keys())}
    for operation in operations:
        if operation["op"] in ("conv", "depthwise"):  # to torch's order: output channels, input channels, height, width
            name = operation["inputs"][1]
            order = (0, 3, 1, 2) if operation["op"] == "conv" else (3, 0, 1, 2)
            weights[name] = np.ascontiguousarray(weights[name].transpose(order))
    description = {
        "input": f"t{int(graph.table.InputsAsNumpy()[0])}",
        "outputs": {name: f"t{index}" for index, name in named.items()},
        "operations": _without_padding(operations),
    }
    return description, weights


def _without_padding(operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operations with padding done by the convolution that follows it, where that is its only use."""
    kept = []
    for operation in operations:
        top, bottom, left, right, *channels = operation.get("sides", [0, 1, 0, 0])
        users = [other for other in operations if operation["output"] in other["inputs"]]
        alike = top == bottom == left == right and not any(channels) and len(users) == 1
        if alike and users[0]["op"] in ("conv", "depthwise") and users[0]["padding"] == "valid":
            users[0]["inputs"][0], users[0]["padding"] = operation["inputs"][0], top
        else:
            kept.append(operation)
    return kept


@dataclass(frozen=True)
class _Graph:
    """The only graph of a .tflite file, and the values of its constant tensors in their own order of axes."""

    schema: Any
    model: Any
    table: Any
    constants: dict[int, np.ndarray]

    @classmethod
    def read(cls, content: bytes) -> "_Graph":
        try:
            import tflite
        except ImportError as error:
            raise ImportError('converting needs tflite and ai-edge-litert: pip install "motionrep[convert]"') from error
        schema: Any = tflite
        model = schema.Model.GetRootAsModel(content, 0)
        graph = cls(schema, model, model.Subgraphs(0), {})
        operators = [graph.table.Operators(number) for number in range(graph.table.OperatorsLength())]
        count = graph.table.TensorsLength()
        known = {i for i in range(count) if model.Buffers(graph.table.Tensors(i).Buffer()).DataLength()}
        for operator in operators:
            unpacks = graph.name(operator) in ("DEQUANTIZE", "DENSIFY")
            if unpacks and int(operator.InputsAsNumpy()[0]) in known:
                known.add(int(operator.OutputsAsNumpy()[0]))
        used = {int(index) for operator in operators for index in operator.InputsAsNumpy()} & known
        values = _constant_values(content, [i for i in used if graph.table.Tensors(i).Sparsity() is None])
        return cls(schema, model, graph.table, values)

    def name(self, operator: Any) -> str:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        return next(name for name, value in vars(self.schema.BuiltinOperator).items() if value == number)

    def options(self, operator: Any, kind: str) -> Any:
        table, options = operator.BuiltinOptions(), getattr(self.schema, kind)()
        options.Init(table.Bytes, table.Pos)
        return options


def _constant_values(content: bytes, indices: list[int]) -> dict[int, np.ndarray]:
    """Tensors that do not depend on the picture; numbers in float16.

    The original runtime unpacks sparse weights. It does so when it runs.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ImportError('converting needs tflite and ai-edge-litert: pip install "motionrep[convert]"') from error
    runtime = Interpreter(
        model_content=content, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip
    runtime.allocate_tensors()
    picture = runtime.get_input_details()[0]
    runtime.set_tensor(picture["index"], np.zeros(picture["shape"], np.float32))
    runtime.invoke()
    values = {}
    for index in indices:
        value = runtime.get_tensor(index)
        values[index] = value.astype(np.float16) if value.dtype == np.float32 else value
        if not np.array_equal(values[index], value):
            raise ValueError(f"tensor {index} is not exact in float16")
    return values


def _operation(graph: _Graph, operator: Any) -> dict[str, Any]:
    """One operation as `Network` runs it, with axes in torch's order: batch, channels, height, width."""
    name = graph.name(operator)
    inputs = [int(index) for index in operator.InputsAsNumpy()]
    output = int(operator.OutputsAsNumpy()[0])
    found = {"output": f"t{output}", "inputs": [f"t{index}" for index in inputs]}
    first = {"inputs": found["inputs"][:1]}
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        kind = "Conv2DOptions" if name == "CONV_2D" else "DepthwiseConv2DOptions"
        options = graph.options(operator, kind)
        return {"op": "conv" if name == "CONV_2D" else "depthwise"} | found | _stride(options) | _activation(options)
    if name == "ADD":
        return {"op": "add"} | found | _activation(graph.options(operator, "AddOptions"))
    if name == "PAD":
        sides = graph.constants[inputs[1]].tolist()
        return {"op": "pad"} | found | first | {"sides": [*sides[2], *sides[1], *sides[3]]}
    if name == "RESIZE_BILINEAR":
        options = graph.options(operator, "ResizeBilinearOptions")
        if options.AlignCorners() or not options.HalfPixelCenters():
            raise ValueError("only resizing with half-pixel centres is known")
        return {"op": "resize"} | found | first | {"size": graph.constants[inputs[1]].tolist()}
    if name == "MAX_POOL_2D":
        options = graph.options(operator, "Pool2DOptions")
        return {"op": "max_pool"} | found | _stride(options) | {"size": options.FilterHeight()}
    if name == "CONCATENATION":
        if graph.options(operator, "ConcatenationOptions").Axis() != 1:
            raise ValueError("only lists are concatenated")
        return {"op": "concatenate"} | found
    if name == "DEPTH_TO_SPACE":
        block = graph.options(operator, "DepthToSpaceOptions").BlockSize()
        return {"op": "depth_to_space"} | found | {"block": block}
    if name == "RESHAPE":
        shape = graph.table.Tensors(output).ShapeAsNumpy().tolist()
        return {"op": "list"} | found | first | {"shape": shape[1:]}
    if name == "LOGISTIC":
        return {"op": "sigmoid"} | found
    raise ValueError(f"operation {name} is not known")


def _stride(options: Any) -> dict[str, Any]:
    if options.StrideH() != options.StrideW():
        raise ValueError("strides differ between height and width")
    return {"stride": options.StrideH(), "padding": ("same", "valid")[options.Padding()]}


def _activation(options: Any) -> dict[str, Any]:
    return {"activation": _ACTIVATIONS[options.FusedActivationFunction()]}


def _as_json(description: dict[str, Any]) -> str:
    """One line for each entry, and for each operation."""
    operations = ",\n".join("  " + json.dumps(operation) for operation in description["operations"])
    entries = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in description.items() if key != "operations"]
    return "{\n" + ",\n".join([*entries, f'"operations": [\n{operations}\n]']) + "\n}\n"


if __name__ == "__main__":
    main()
