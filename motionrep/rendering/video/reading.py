"""The video in which a motion was found: its true frame times, and its pictures, read on demand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int, UInt8

_SAME_RATE = 0.01
_COVER = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
# What FFmpeg may take a file for. Playlists and lists of files are left out, since they lead to other files and hosts.
_CONTAINERS = (
    "mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "gif", "apng", "ivf", "obu", "av1",
    "h264", "hevc", "m4v", "mjpeg", "mxf", "nut", "rm", "dv", "wtv", "yuv4mpegpipe",
)  # fmt: skip


@dataclass(frozen=True)
class SourceVideo:
    """A video file as it is shown, turned upright by its rotation tag.

    `frame_time_s` says when each frame is shown, ascending, on the clock of the file. It need not start at 0 or be
    evenly spaced. The pictures are not in memory.
    """

    path: Path
    width_px: int
    height_px: int
    frame_time_s: Float64[np.ndarray, " frames"]
    has_sound: bool

    @property
    def fps(self) -> float:
        """Mean frame rate."""
        span_s = float(self.frame_time_s[-1] - self.frame_time_s[0])
        return (len(self.frame_time_s) - 1) / span_s if span_s > 0 else 25.0

    def times_of_motion_s(self, frame_count: int, fps: float, first_frame: int = 0) -> Float64[np.ndarray, " frames"]:
        """When each frame of a motion found in this video is shown, on the clock of the file.

        If the motion has (nearly) the mean rate of the video, its frames are those of the video, as a detector reads
        them, so it follows uneven frame times. A motion of another rate is evenly spaced in time.

        Args:
            first_frame: Number of the motion's first frame in the file, at the rate of the motion.

        Raises:
            ValueError: The video ends before the motion does.
        """
        if abs(fps / self.fps - 1) < _SAME_RATE:
            if first_frame + frame_count > len(self.frame_time_s):
                raise ValueError(
                    f"{self.path} has {len(self.frame_time_s)} frames, the motion has frames {first_frame} to "
                    f"{first_frame + frame_count - 1}; pass the video it was found in, or set first_frame to 0"
                )
            return self.frame_time_s[first_frame : first_frame + frame_count]
        time_s = self.frame_time_s[0] + (first_frame + np.arange(frame_count)) / fps
        end_s = float(self.frame_time_s[-1]) + 1 / self.fps
        if frame_count and time_s[-1] > end_s:
            raise ValueError(
                f"{self.path} ends at {end_s:.2f} s, the motion ({frame_count} frames at {fps:g} fps) at "
                f"{time_s[-1]:.2f} s; pass the video it was found in"
            )
        return time_s

    def pictures(
        self, numbers: Iterable[int], width_px: int, height_px: int
    ) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """The frames with the given numbers, which must not decrease, scaled to a size. One at a time is in memory.

        Raises:
            ValueError: The file cannot be decoded up to a frame.
        """
        with open_container(self.path) as container:
            stream = _video_streams(container)[0]
            stream.thread_type, tagged = "AUTO", _tagged_rotation(stream)
            frames = None
            shown = picture = None
            for number in numbers:
                wanted_s = self.frame_time_s[number]
                if frames is None:
                    container.seek(int(wanted_s / stream.time_base), stream=stream)
                    frames = container.decode(stream)
                # Frames are identified by their times, since a seek lands anywhere before the wanted one.
                while shown is None or shown.time < wanted_s - 1e-6:
                    shown, picture = next(frames, None), None
                    if shown is None:
                        raise ValueError(f"{self.path}: cannot be decoded beyond {wanted_s:.2f} s; is it damaged?")
                if picture is None:
                    picture = upright(shown, shown.rotation or tagged, width_px, height_px)
                yield picture


def open_source_video(path: Path | str) -> SourceVideo:
    """Reads the frame times of a video file (not its pictures).

    Raises:
        ValueError: Not a video file, or a video without frames.
        FileNotFoundError: No such file.
        ImportError: Without PyAV.
    """
    path = Path(path)
    _import_av()
    from av.error import ArgumentError, FFmpegError

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a video")
    try:
        with open_container(path) as container:
            if not _video_streams(container):
                raise ValueError(f"{path} holds no pictures; give a video")
            stream = _video_streams(container)[0]
            tagged = _tagged_rotation(stream)
            stamps = [
                packet.dts if packet.pts is None else packet.pts
                for packet in container.demux(stream)
                if packet.size and not packet.is_discard
            ]
            times_s = np.sort(np.array([stamp for stamp in stamps if stamp is not None], float)) * float(
                stream.time_base or 0
            )
            has_sound = bool(container.streams.audio)
        with open_container(path) as container:
            first = next(container.decode(_video_streams(container)[0]), None)
    except ArgumentError as error:
        raise ValueError(f"{path} cannot be read as a video: it is none, or of a kind that is not read") from error
    except FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a video: {error.strerror}") from error
    if first is None or len(times_s) == 0:
        raise ValueError(f"{path} holds no frames")
    width_px, height_px = first.width, first.height
    if (first.rotation or tagged) % 180:
        width_px, height_px = height_px, width_px
    return SourceVideo(path, width_px, height_px, times_s, has_sound)


def frames_at(
    time_s: Float64[np.ndarray, " frames"], shown_s: Float64[np.ndarray, " shown"]
) -> Int[np.ndarray, " shown"]:
    """Number of the frame on the screen at each of the times `shown_s`, given the time at which each frame appears.

    A frame appears a quarter of the shown interval early, because files round their times.
    """
    slack_s = 0.25 * float(np.diff(shown_s).min()) if len(shown_s) > 1 else 1e-3
    return (np.searchsorted(time_s, shown_s + slack_s, side="right") - 1).clip(0, len(time_s) - 1)


def open_container(path: Path):
    """The file as PyAV opens it. It is taken for a file, whatever its name looks like, and nothing else is opened."""
    only = {"protocol_whitelist": "file", "format_whitelist": ",".join(_CONTAINERS)}
    return _import_av().open(f"file:{path.absolute()}", metadata_errors="replace", options=only)


def _video_streams(container) -> list:
    """Those that are no cover pictures of a sound file."""
    return [stream for stream in container.streams.video if not stream.disposition & _COVER]


def _tagged_rotation(stream) -> int:
    """Degrees counterclockwise from the tag of older files, which says them clockwise; FFmpeg leaves it to us."""
    tags = {name.lower(): value for name, value in stream.metadata.items()}  # Matroska writes names in capitals
    tag = tags.get("rotate", "0")
    return -int(tag) if tag.lstrip("-").isdigit() and int(tag) % 90 == 0 else 0


def upright(frame, rotation: int, width_px: int, height_px: int) -> UInt8[np.ndarray, "height width 3"]:
    """The picture of a PyAV frame, turned counterclockwise by its rotation in degrees, in a size."""
    turned = rotation % 180 != 0
    size = (height_px, width_px) if turned else (width_px, height_px)
    picture = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, round(rotation / 90)))


def _import_av():
    try:
        import av
    except ImportError as error:
        raise ImportError('reading a video needs PyAV: pip install "motionrep[video]"') from error
    return av
