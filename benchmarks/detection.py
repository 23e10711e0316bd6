"""How fast people and their keypoints are found in a video, and how much memory that takes.

    python benchmarks/detection.py [VIDEO ...] [--detector blazepose-full] [--threads 1]

Without a video, one person is drawn in 10 s of 1920 x 1080 px at 30 frames per second. CPU time says more than the
clock where other programs use the cores. The network is loaded before the measurement; reading the video counts.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import motionrep
from motionrep.detection import load_detector
from motionrep.rendering import render_frames
from motionrep.rendering.video.writing import write_video

SECONDS, FPS, SIZE_PX = 10.0, 30.0, (1920, 1080)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*", metavar="VIDEO")
    parser.add_argument("--detector", action="append", help="default: blazepose and blazepose-full")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the drawn video")
    parser.add_argument("--threads", type=int, help="of torch (default: one for each core)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} thread(s)")
    with tempfile.TemporaryDirectory() as folder:
        for video in arguments.videos or [drawn_video(Path(folder) / "drawn.mp4", arguments.seconds)]:
            for name in arguments.detector or ["blazepose", "blazepose-full"]:
                measure(video, name)


def measure(video: Path, detector: str) -> None:
    load_detector(detector)  # the first load compiles nothing, but fills caches of the disk
    clock_s, cpu_s = time.perf_counter(), time.process_time()
    people = motionrep.detect(video, detector)
    clock_s, cpu_s = time.perf_counter() - clock_s, time.process_time() - cpu_s
    frames = max(one.first_frame + one.frame_count for one in people)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{video.name}, {detector}: {len(people)} person(s), {frames} frames; {frames / cpu_s:.1f} frames per CPU "
        f"second, {frames / clock_s:.1f} by the clock ({clock_s:.1f} s); at most {peak_mb:.0f} MB so far",
        flush=True,
    )


def drawn_video(path: Path, seconds: float) -> Path:
    """A walk, drawn a second long, and played forwards and backwards as often as fits."""
    from motionrep.datasets.authored.motions import authored_motion

    drawn = render_frames(
        [authored_motion("walk", 0, 1.0, FPS)], views=["side"], width_px=SIZE_PX[0], height_px=SIZE_PX[1],
        titles=False, supersample=1, backend="raster",
    )  # fmt: skip
    second = [np.ascontiguousarray(picture[..., :3]) for picture in drawn]
    to_and_fro = second + second[-2:0:-1]
    pictures = (to_and_fro[i % len(to_and_fro)] for i in range(round(seconds * FPS)))
    return write_video(pictures, path, FPS)


if __name__ == "__main__":
    main()
