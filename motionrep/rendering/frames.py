"""The frames of a planned video, drawn a few at a time on several threads."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice, repeat
from typing import TypeVar

import numpy as np
import torch

from motionrep.rendering.plan import RenderPlan
from motionrep.rendering.video.timing import source_pictures

Given = TypeVar("Given")
Made = TypeVar("Made")

_FRAMES_AT_ONCE = 4
_MOST_WORKERS = 8


def drawn_frames(plan: RenderPlan) -> Iterator[np.ndarray]:
    """The frames (height, width, 3 or 4; 0 to 255). Memory in use does not grow with their number."""
    timing, views, sheet = plan.timing, plan.views, plan.sheet

    def draw_chunk(moments: Sequence[tuple[int, int, np.ndarray | None]]) -> list[tuple[int, np.ndarray]]:
        repeats, frames, sources = zip(*moments, strict=True)
        pictures = views.draw(list(frames), sources)
        return [(count, sheet.row(panels)) for count, panels in zip(repeats, pictures, strict=True)]

    workers = min(os.cpu_count() or 1, _MOST_WORKERS) if views.device.type == "cpu" else 1
    moments, shown = _moments(plan), 0
    chunks = iter(lambda: list(islice(moments, _FRAMES_AT_ONCE)), [])
    for rows in _in_order(draw_chunk, chunks, workers):
        for count, row in rows:
            for _ in range(count):
                yield sheet.with_strips(row, timing.time_s(shown))
                shown += 1


def _moments(plan: RenderPlan) -> Iterator[tuple[int, int, np.ndarray | None]]:
    """How often each picture is shown, the frame of the motion, and the picture of the video, read when needed."""
    timing = plan.timing
    source_frame = timing.motion_frame if timing.source_frame is None else timing.source_frame
    pairs = zip(timing.motion_frame.tolist(), source_frame.tolist(), strict=True)
    moments = [(pair, len(list(same))) for pair, same in groupby(pairs)]
    pictures: Iterator[np.ndarray | None] = repeat(None)
    if plan.shows_source and plan.source is not None:
        pictures = source_pictures(plan.source, (source for (_, source), _ in moments), plan.sheet.panel_px)
    for ((frame, _), count), picture in zip(moments, pictures, strict=False):
        yield count, frame, picture


def _in_order(make: Callable[[Given], Made], items: Iterable[Given], workers: int) -> Iterator[Made]:
    """`map` on several threads, a few items ahead. Drawing is many small operations: one thread for each is fastest."""
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    ahead: deque = deque()
    try:
        for item in items:
            ahead.append(executor.submit(make, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
