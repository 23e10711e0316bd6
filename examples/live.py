"""Prints live 3D poses, a line of JSON per frame; shows the pictures of a camera or video with what was found in them.

python examples/live.py --camera 0                       # the first camera; --camera opens it, nothing else does
python examples/live.py --video dance.mp4                # a video, played at its own speed
python examples/live.py --keypoints dance.json --size 1920x1080
python examples/live.py --size 1920x1080                 # COCO-17 keypoints from standard input

Standard input has a line per frame at 30 frames per second, as a detector may write it: [[x, y, confidence], ...] in
pixels, or null for a frame in which nobody is seen.

The window needs a screen and Python's tkinter. Without them there is a message, and poses are printed all the same.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageDraw

import motionrep
from motionrep.detection.cameras import LivePictures, open_as_camera, open_camera
from motionrep.detection.live import LivePerson
from motionrep.layouts import COCO_17, JointLayout
from motionrep.types import JointMotion

SLOWEST_FPS = 5  # poses of fewer pictures per second are not worth showing
LONGEST_PX = 960  # of the window
VISIBLE = 0.5  # confidence from which a joint is drawn
LEFT, RIGHT, MIDDLE = (66, 135, 245), (235, 87, 87), (255, 255, 255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", help="number of a camera; on Windows its name")
    source.add_argument("--video", help="file that is played as if a camera took it")
    source.add_argument("--keypoints", help="file whose first person is played")
    parser.add_argument("--size", help="WIDTHxHEIGHT of the pictures in which keypoints were found")
    parser.add_argument("--latency", type=int, default=3, help="frames to wait for; more are better (default: 3)")
    parser.add_argument("--detector", default="blazepose-full", help="of --camera and --video (default: %(default)s)")
    parser.add_argument("--head", default="pose3d-ktpformer-s", help="what is predicted (default: %(default)s)")
    given = parser.parse_args()
    networks = motionrep.load_encoder("ktpformer-s"), motionrep.load_head(given.head)
    if given.camera is not None or given.video is not None:
        person = LivePerson(given.detector)
        with open_camera(given.camera) if given.camera is not None else open_as_camera(given.video) as pictures:
            show_pictures(pictures, person, networks, given.latency)
        return
    size_px = None
    if given.size is not None:
        width_px, height_px = map(int, given.size.split("x"))
        size_px = width_px, height_px
    if given.keypoints is not None:
        clip = motionrep.load_keypoints(given.keypoints, size_px=size_px)[0]
        fps, size_px, layout, frames = clip.fps, (clip.width_px, clip.height_px), clip.layout, played(clip)
    else:
        fps, layout, frames = 30, COCO_17, read()
    if size_px is None:
        parser.error("--size is missing, that of the pictures in which the keypoints were found")
    stream = make_stream(networks, fps, size_px, layout, given.latency)
    for xy_px, confidence in frames:
        show(stream.push(xy_px, confidence))
    for result in stream.flush():
        show(result)


def make_stream(
    networks: tuple, fps: float, size_px: tuple[int, int], layout: JointLayout, latency_frames: int
) -> motionrep.Stream:
    return motionrep.Stream(*networks, fps=fps, size_px=size_px, layout=layout, latency_frames=latency_frames)


def show_pictures(pictures: LivePictures, person: LivePerson, networks: tuple, latency_frames: int) -> None:
    """Looks at as many pictures as there is time for, evenly spaced; a picture that came too late counts as unseen."""
    every = spacing(pictures, person, networks)
    window = open_window()
    stream = make_stream(networks, pictures.fps / every, pictures.size_px, person.layout, latency_frames)
    taken_s, waited_ms, worked_ms, first = {}, [], [], None
    for shot in pictures:
        first = shot.number if first is None else first
        turn, off = divmod(shot.number - first, every)
        if off or turn < len(taken_s):
            continue
        while len(taken_s) < turn:
            taken_s[len(taken_s)] = None
            stream.push(None)
        taken_s[turn], start_s = shot.taken_s, time.perf_counter()
        seen = person.push(shot.picture)
        result = stream.push(*seen) if seen else stream.push(None)
        if window is not None and not window.show(drawn(shot.picture, seen, person.layout)):
            break
        worked_ms.append(1000 * (time.perf_counter() - start_s))
        if result is not None and (came_s := taken_s[result.frame]) is not None:
            waited_ms.append(1000 * (time.perf_counter() - came_s))
            show(result, latency_ms=round(waited_ms[-1], 1))
    if waited_ms:
        print(
            f"{len(worked_ms)} of {len(taken_s)} pictures at {pictures.fps / every:.1f} per second: "
            f"{statistics.median(worked_ms):.0f} ms of work each, shown {statistics.median(waited_ms):.0f} ms after "
            f"they came, {stream.latency_frames} frames of waiting included",
            file=sys.stderr,
        )


def drawn(picture: np.ndarray, seen: tuple | None, layout: JointLayout) -> Image.Image:
    """The picture, small enough for the window, with the bones whose joints are visible: left blue, right red."""
    image = Image.fromarray(picture)
    scale = min(1.0, LONGEST_PX / max(image.size))
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    if seen is not None:
        xy, confidence = (seen[0] * scale).tolist(), seen[1].tolist()
        draw = ImageDraw.Draw(image)
        for joint, parent in layout.bones:
            if min(confidence[joint], confidence[parent]) >= VISIBLE:
                name = layout.joints[joint]
                color = LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
                draw.line([*xy[joint], *xy[parent]], fill=color, width=4)
    return image


class Window:
    def __init__(self) -> None:
        import tkinter

        self.root, self.open = tkinter.Tk(), True
        self.root.title("motionrep")
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.label = tkinter.Label(self.root)
        self.label.pack()

    def show(self, image: Image.Image) -> bool:
        """Whether the window is still open."""
        from PIL import ImageTk

        self.photo = ImageTk.PhotoImage(image)  # kept, since tkinter does not keep it
        self.label.configure(image=self.photo)
        self.root.update()
        return self.open

    def close(self) -> None:
        self.open = False


def open_window() -> Window | None:
    """A window, or None and a message where there is no screen."""
    try:
        from tkinter import TclError
    except ImportError as error:  # some Pythons come without it
        why = str(error)
    else:
        try:
            return Window()
        except TclError as error:
            why = str(error)
    print(f"no window can be opened here, so poses are printed only: {why}", file=sys.stderr)
    return None


def spacing(pictures: LivePictures, person: LivePerson, networks: tuple) -> int:
    """Every how many-th picture there is time for, after a few pictures to measure."""
    trial, worked_s = make_stream(networks, pictures.fps, pictures.size_px, person.layout, 0), []
    for shot in pictures:
        start_s = time.perf_counter()
        seen = person.push(shot.picture)
        trial.push(*seen) if seen else trial.push(None)
        worked_s.append(time.perf_counter() - start_s)
        if len(worked_s) == 5:
            break
    needed = math.ceil(1.2 * statistics.median(worked_s) * pictures.fps) if worked_s else 1
    return min(max(1, needed), max(1, int(pictures.fps / SLOWEST_FPS)))


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


def show(result: motionrep.StreamedFrame | None, **more: float) -> None:
    if result is None:
        return
    pose = result.prediction
    if pose is not None and not isinstance(pose, JointMotion):
        pose = pose.joints()
    position_m = None if pose is None else [[round(x, 4) for x in joint] for joint in pose.position_m[0].tolist()]
    print(json.dumps({"frame": result.frame, "position_m": position_m} | more), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        pass
