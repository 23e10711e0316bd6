"""Prints live 3D poses, a line of JSON per frame: python examples/live.py WIDTHxHEIGHT LATENCY [KEYPOINTS.json]

Plays the first person of a keypoint file at the speed of a camera. Without a file it reads COCO-17 keypoints from
standard input as a detector may write them, one line per frame at 30 frames per second: [[x, y, confidence], ...] in
pixels, or null for a frame in which nobody is seen.
"""

import json
import sys
import time
from collections.abc import Iterator

import torch

import motionrep
from motionrep.layouts import COCO_17


def main(size: str, latency_frames: str, keypoints: str | None = None) -> None:
    width_px, height_px = map(int, size.split("x"))
    clip = motionrep.load_keypoints(keypoints, size_px=(width_px, height_px))[0] if keypoints else None
    stream = motionrep.Stream(
        motionrep.load_encoder("ktpformer-s"),
        motionrep.load_head("pose3d-ktpformer-s"),
        fps=clip.fps if clip else 30,
        size_px=(width_px, height_px),
        layout=clip.layout if clip else COCO_17,
        latency_frames=int(latency_frames),
    )
    for xy_px, confidence in played(clip) if clip else read():
        result = stream.push(xy_px, confidence)
        if result is not None:
            show(result)
    for result in stream.flush():
        show(result)


def played(clip: motionrep.Keypoints) -> Iterator[tuple]:
    start = time.perf_counter()
    for frame, (xy_px, confidence) in enumerate(zip(clip.xy_px, clip.confidence, strict=True)):
        time.sleep(max(0, start + frame / clip.fps - time.perf_counter()))
        yield xy_px, confidence


def read() -> Iterator[tuple]:
    for line in sys.stdin:
        frame = json.loads(line)
        if frame is None:
            yield None, None
        else:
            xyc = torch.tensor(frame, dtype=torch.float32)
            yield xyc[:, :2], xyc[:, 2]


def show(result: motionrep.StreamedFrame) -> None:
    pose = result.prediction
    position_m = None if pose is None else [[round(x, 4) for x in joint] for joint in pose.position_m[0].tolist()]
    print(json.dumps({"frame": result.frame, "position_m": position_m}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
