"""Writes tests/golden/blazepose.npz: a picture of a rendered person, and what the original runtime says about it.

    python tests/detection/make_golden.py mediapipe-0.10.14-*.whl mediapipe-pose-0.5.1675469404.tgz

The runtime is ai-edge-litert 2.3.0 on the original .tflite files.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from filmed_people import film
from paths import GOLDEN

from motionrep.detection.blazepose.convert import NETWORKS, read_member
from motionrep.detection.blazepose.regions import crops


def main() -> None:
    from ai_edge_litert.interpreter import Interpreter

    packages = dict(zip(("wheel", "tarball"), map(Path, sys.argv[1:]), strict=True))
    picture = torch.from_numpy(film(("walk",), seconds=0.1).pictures[0])
    arrays: dict[str, np.ndarray] = {}
    for name, (package, member, outputs) in NETWORKS.items():
        size, side = (224, 320.0) if name == "blazepose-people" else (256, 190.0)
        square = crops(picture, torch.tensor([[160.0, 120.0, side, 0.2]]), size)[0].mul(255).round().byte()
        arrays[f"{name}.picture"] = square.numpy()
        given = square.permute(1, 2, 0)[None].float() / 255
        runtime = Interpreter(model_content=read_member(packages[package], member))
        runtime.allocate_tensors()
        given = given * 2 - 1 if name == "blazepose-people" else given
        runtime.set_tensor(runtime.get_input_details()[0]["index"], given.contiguous().numpy())
        runtime.invoke()
        for detail in runtime.get_output_details():
            if detail["name"] in outputs:
                value = runtime.get_tensor(detail["index"])
                if outputs[detail["name"]] == "boxes":  # only some of 2254
                    value = value[:, ::23]
                elif outputs[detail["name"]] == "heatmap_logit":
                    value = value[:, ::8, ::8]
                arrays[f"{name}.{outputs[detail['name']]}"] = value
    np.savez_compressed(GOLDEN / "blazepose.npz", **arrays)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main()
