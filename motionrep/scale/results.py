"""The rows of a data set that say what heads make of clips."""

from dataclasses import asdict
from typing import Any

from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.motion.rows import row_of_motion
from motionrep.pipeline.result import Recovered
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, JointMotion


def row_of(file: str, recovered: Recovered) -> dict[str, Any]:
    """One row: where the clip comes from, and the results of every head by column.

    Where several heads give results of one kind, the names of their columns end in `_` and the head's name.
    """
    clip = recovered.keypoints
    row: dict[str, Any] = {
        "clip": file, "person": clip.person, "piece": recovered.index, "first_frame": clip.first_frame,
        "frames": clip.frame_count, "fps": float(clip.fps), "width_px": clip.width_px, "height_px": clip.height_px,
        "seen": (clip.confidence > 0).any(-1).tolist(),
    }  # fmt: skip
    for head, result in recovered.results.items():
        ending = _ending(head, recovered)
        values = _values(result, recovered.timelines.get(head), head)
        row |= {f"{name}{ending}": value for name, value in values.items()}
    return row


def schema_of(recovered: Recovered) -> Any:
    """The schema of the table that holds such rows."""
    pa, _ = pyarrow_and_parquet()
    fields = [
        ("clip", pa.string()), ("person", pa.string()), ("piece", pa.int32()), ("first_frame", pa.int64()),
        ("frames", pa.int64()), ("fps", pa.float64()), ("width_px", pa.int32()), ("height_px", pa.int32()),
        ("seen", pa.list_(pa.bool_())),
    ]  # fmt: skip
    for head, result in recovered.results.items():
        ending = _ending(head, recovered)
        values = _values(result, recovered.timelines.get(head), head)
        fields += [(f"{name}{ending}", _type(name, value)) for name, value in values.items()]
    return pa.schema(fields)


def _ending(head: str, recovered: Recovered) -> str:
    kind = type(recovered.results[head])
    return f"_{head}" if [type(it) for it in recovered.results.values()].count(kind) > 1 else ""


def _values(result: Any, timeline: ActionTimeline | None, head: str) -> dict[str, Any]:
    if isinstance(result, BodyMotion | JointMotion):
        return row_of_motion(result)
    if isinstance(result, ActionScores):
        probability = dict(zip(result.labels, result.probability().tolist(), strict=True))
        segments = [] if timeline is None else [asdict(segment) for segment in timeline.segments()]
        return {"action": result.best, "probability": probability, "action_segments": segments}
    raise ValueError(f"head {head!r} gives {type(result).__name__}, for which data sets have no columns; leave it out")


def _type(name: str, value: Any) -> Any:
    pa, _ = pyarrow_and_parquet()
    number = pa.float32()
    if name == "action_segments":
        times = [(column, pa.float64()) for column in ("start_s", "end_s")]
        return pa.list_(pa.struct([*times, ("label", pa.string()), ("probability", number)]))
    if isinstance(value, dict):
        return pa.struct([(label, number) for label in value])
    if isinstance(value, str):
        return pa.string()
    if name == "betas":
        return pa.list_(number)
    return pa.list_(pa.list_(number, len(value[0])))
