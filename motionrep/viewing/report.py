"""The report of a clip as one HTML file."""

import base64
import html
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionrep.encoders import Encoder
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.geometry.cameras import PinholeCamera
from motionrep.keypoints.quality import LOW_CONFIDENCE, QualityWarning, frame_confidence, quality_warnings
from motionrep.motion.measures import joint_angles_deg, joint_speeds_m_per_s
from motionrep.pipeline import Recovered
from motionrep.rendering import render
from motionrep.types import ActionTimeline, BodyMotion, JointMotion, Keypoints, MotionEmbedding
from motionrep.viewing.access import OFFLINE
from motionrep.viewing.arrangement import ViewedMotion, standing
from motionrep.viewing.overlay import render_people
from motionrep.viewing.page import page_html
from motionrep.viewing.plots import bands_svg, confidence_svg, sides_svg, similarity_svg
from motionrep.viewing.similarity import moments, self_similarity

WINDOW_S, STEP_S = 2.0, 1.0  # of the actions
_VIDEO_HEIGHT_PX = 320
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.25rem; margin-top: 2.4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; } video, iframe, img { width: 100%; border: 0; display: block; }
iframe { height: 30rem; background: #f6f7f9; border-radius: 6px; } img.square { width: 26rem; max-width: 100%; }
.facts, .note { color: #57606a; } .note { font-size: .85rem; } .doubts { background: #fff8e6; border-radius: 6px; }
.doubts { padding: .7rem 1rem .7rem 2rem; } .fine { background: #eaf6ec; border-radius: 6px; padding: .7rem 1rem; }
table { border-collapse: collapse; } td, th { padding: .15rem 1rem .15rem 0; text-align: left; }
td:first-child { white-space: nowrap; } h1, h2, .facts, li { overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  body { margin: 1rem auto; } iframe { height: 24rem; }
  .wide { overflow-x: auto; } .wide img, .wide video { width: 52rem; }
}
"""


@dataclass(frozen=True)
class PersonReport:
    """What is known of one person of a clip. `motion` is in camera axes; `actions` is None without an action head."""

    label: str
    keypoints: Keypoints
    embedding: MotionEmbedding
    motion: BodyMotion | JointMotion
    actions: ActionTimeline | None
    doubts: tuple[QualityWarning, ...]
    camera: PinholeCamera | None = None


def analyse(
    label: str, person: Recovered, encoder: Encoder, with_actions: bool = True, fps_known: bool = True
) -> PersonReport:
    """What the report says of one person.

    Args:
        encoder: The one that `person` was recovered with.
        fps_known: False when the clip's frame rate is an assumption.

    Raises:
        ValueError: There is no motion among the results, or no action scores though they are wanted.
    """
    window_s = encoder.frames / (encoder.fps or person.keypoints.fps) if encoder.fixed_window else None
    doubts = tuple(quality_warnings(person.keypoints, window_s, fps_known))
    actions = person.timeline if with_actions else None
    return PersonReport(label, person.keypoints, person.embedding, person.placed, actions, doubts, person.camera)


def check_report_path(path: Path | str) -> Path:
    """The path, if `save_report` can write to it. Otherwise raises its ValueError, before anything is computed."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: a report is saved as .html, give the file that suffix")
    return path


def save_report(
    title: str,
    people: Sequence[PersonReport],
    path: Path | str,
    progress: bool = False,
    *,
    video: Path | None = None,
    movie: Path | None = None,
    windows_s: tuple[float, float] = (WINDOW_S, STEP_S),
) -> Path:
    """Writes the report: warnings, video, 3D view, joint angles, speeds, actions, confidence. Returns its path.

    It is one file that makes no network request, and its content-security policy allows none. Text from the input is
    escaped.

    Args:
        video: The source video; everybody is shown over it, with its sound. Without it, several people are shown
            together if they have places in the same axes, and otherwise one by one.
        movie: An .mp4 of everybody over the video, where it was drawn already.
        windows_s: Length of the windows of the action head, and from one to the next.

    Raises:
        ValueError: No people, or the name does not end in .html.
        ImportError: matplotlib, viser or PyAV is not installed.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = check_report_path(path)
    if not people:
        raise ValueError("nobody to report on")
    if movie is None and (video is not None or _stand_together(people)):
        with tempfile.TemporaryDirectory() as folder:
            film = _movie_html(_everybody(people, Path(folder) / "clip.mp4", video, progress))
    else:
        film = None if movie is None else _movie_html(movie)
    content = _page(title, people, progress, film, windows_s)
    with written_beside(path) as beside:
        beside.write_text(content, encoding="utf-8")
    return path


def _page(
    title: str, people: Sequence[PersonReport], progress: bool, film: str | None, windows_s: tuple[float, float]
) -> str:
    view = page_html([ViewedMotion(one.label, one.motion, one.keypoints, one.embedding) for one in people])
    first = people[0]
    begin = min(one.keypoints.first_frame for one in people)
    frames = max(one.keypoints.first_frame + one.keypoints.frame_count for one in people) - begin
    facts = (
        f"{len(people)} person(s), {frames / first.keypoints.fps:.2f} s, frames {begin} to {begin + frames - 1} at "
        f"{first.keypoints.fps:g} per second, picture of "
        f"{first.keypoints.width_px} x {first.keypoints.height_px} pixels, {first.keypoints.layout.name}, "
        f"encoder {first.embedding.encoder}"
    )
    sections = "".join(
        _section(one, film is None, windows_s, progress)
        for one in progress_bar(people, "report", "person", progress and len(people) > 1)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{OFFLINE}<title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f'<h1>{html.escape(title)}</h1><p class="facts">{html.escape(facts)}</p>'
        f"{f'<h2>Video</h2>{film}' if film else ''}<h2>In space</h2>"
        f'<iframe title="3D view" sandbox="allow-scripts" srcdoc="{html.escape(view)}"></iframe>'
        f'<p class="note">Drag to rotate, scroll to zoom. The button at the bottom right shows and hides mesh, '
        f"skeleton and keypoints. Without a known camera, distances are correct only up to a factor.</p>"
        f"{sections}</body></html>\n"
    )


def _section(one: PersonReport, with_video: bool, windows_s: tuple[float, float], progress: bool) -> str:
    upright, _, _ = standing(one.motion)
    fps, confidence = one.keypoints.fps, one.keypoints.confidence.clamp(max=1)
    seconds = one.keypoints.frame_count / fps
    parts = [
        f"<h2>{html.escape(one.label)}</h2>",
        f'<p class="note">Times count from frame {one.keypoints.first_frame} of the file.</p>',
        _doubts(one.doubts),
        *([f"<h3>Video</h3>{_video(one, progress)}"] if with_video else []),
        *([] if one.actions is None else [_actions(one.actions, windows_s)]),
        "<h3>Joint angles</h3>",
        _image(sides_svg(joint_angles_deg(upright), fps, "degrees"), "joint angles over time"),
        "<h3>Speeds</h3>",
        _image(sides_svg(joint_speeds_m_per_s(upright), fps, "m/s"), "speeds over time"),
        "<h3>Confidence of the detector</h3>",
        _image(confidence_svg(frame_confidence(one.keypoints), confidence.amin(1), fps, LOW_CONFIDENCE), "confidence"),
        "<h3>Similarity of moments</h3>",
        _image(similarity_svg(self_similarity(moments(one.embedding)), seconds), "self-similarity", square=True),
        '<p class="note">Cosine similarity of the embeddings of two moments, without the mean of the clip. Repeated '
        "movements show as lines parallel to the diagonal.</p>",
    ]
    return "".join(parts)


def _doubts(doubts: Sequence[QualityWarning]) -> str:
    if not doubts:
        return '<p class="fine">No doubts about the keypoints.</p>'
    items = "".join(f"<li>{html.escape(doubt.sentence)}</li>" for doubt in doubts)
    return f'<ul class="doubts">{items}</ul>'


def _actions(actions: ActionTimeline, windows_s: tuple[float, float]) -> str:
    window_s, step_s = windows_s
    rows = "".join(
        f"<tr><td>{part.start_s:.1f} - {part.end_s:.1f} s</td><td>{html.escape(part.label)}</td>"
        f"<td>{part.probability:.0%}</td></tr>"
        for part in actions.segments()
    )
    seconds = np.arange(len(actions.probability)) / actions.fps
    return (
        f"<h3>Actions</h3>{_image(bands_svg(seconds, actions.probability, actions.labels), 'action scores over time')}"
        f"<table><tr><th>when</th><th>most probable</th><th>mean probability</th></tr>{rows}</table>"
        f'<p class="note">Windows of {window_s:g} s every {step_s:g} s; frames have the mean of their windows.</p>'
    )


def _video(one: PersonReport, progress: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        movie = Path(folder) / "clip.mp4"
        how = {"keypoints": one.keypoints, "camera": one.camera, "height_px": _VIDEO_HEIGHT_PX}
        return _movie_html(render(one.motion, movie, **how, progress=progress))


def _stand_together(people: Sequence[PersonReport]) -> bool:
    """Whether there are several people, who all have a place in the same axes."""
    return len(people) > 1 and {one.motion.frame for one in people} in ({"world"}, {"camera"})


def _everybody(people: Sequence[PersonReport], path: Path, video: Path | None, progress: bool) -> Path:
    motions, clips = [one.motion for one in people], [one.keypoints for one in people]
    return render_people(motions, clips, path, video, people[0].camera, height_px=_VIDEO_HEIGHT_PX, progress=progress)


def _movie_html(movie: Path) -> str:
    source = _data_uri("video/mp4", movie.read_bytes())
    return f'<div class="wide"><video controls loop muted preload="auto" src="{source}"></video></div>'


def _image(svg: str, alt: str, square: bool = False) -> str:
    """Wide pictures are scrolled sideways on a phone, where their letters would be too small."""
    source = f'alt="{html.escape(alt)}" src="{_data_uri("image/svg+xml", svg.encode())}"'
    return f'<img class="square" {source}>' if square else f'<div class="wide"><img {source}></div>'


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
