"""Everybody of a clip on one floor: what follows once each person has been recovered."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from motionrep.geometry.cameras import PinholeCamera
from motionrep.motion.contacts import Ground
from motionrep.pipeline.cameras import floor_is_known
from motionrep.pipeline.result import Recovered
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)


def on_one_floor(people: Sequence[Recovered], refine: bool = False) -> list[Recovered]:
    """The people with their bodies on one floor, seen by one camera that stands in the same world.

    Where heads say what touches the floor (`motion.contacts.Ground`), the camera's place above it follows from all
    people together, unless it is known. Bodies are then moved along the lines of sight until contacts lie on the floor.
    They stay in camera axes; `Recovered.save` writes them in the world's. Without such a head people stay as they are.

    Args:
        people: Of one clip, before refinement.
        refine: Also moves bodies nearer to the keypoints and smooths them (`motionrep.refine`); what touches the floor
            stays on it and holds.
    """
    grounded = [(index, _ground(one)) for index, one in enumerate(people)]
    grounds = {index: ground for index, ground in grounded if ground is not None}
    bodies = {index: _bodies(people[index]) for index in grounds}
    standing = {index: named for index, named in bodies.items() if named}
    if not standing:
        return list(people)
    from motionrep.fitting.floor import camera_on_floor, moved_to_floor  # brings roma, as long to import as torch

    first = people[next(iter(standing))]
    camera = first.camera or PinholeCamera.from_hfov(first.keypoints.width_px, first.keypoints.height_px)
    if not floor_is_known(camera):
        seen = [(next(iter(named.values())), grounds[index]) for index, named in standing.items()]
        camera = camera_on_floor([motion for motion, _ in seen], [ground for _, ground in seen], camera)
        height_m = -(camera.camera_from_world[..., :3, 1] * camera.camera_from_world[..., :3, 3]).sum(-1)
        logger.info("the camera is %.2f m above the floor", float(height_m.mean()))
    found = [replace(one, camera=camera) for one in people]
    for head in next(iter(standing.values())):
        rows = [index for index, named in standing.items() if head in named]
        moved = [moved_to_floor(standing[index][head], grounds[index], camera) for index in rows]
        if refine:
            moved = _refined(moved, [people[index] for index in rows], [grounds[index] for index in rows], camera)
        for index, motion in zip(rows, moved, strict=True):
            found[index] = replace(found[index], results={**found[index].results, head: motion})
    return found


def _ground(one: Recovered) -> Ground | None:
    return next((result for result in one.results.values() if isinstance(result, Ground)), None)


def _bodies(one: Recovered) -> dict[str, BodyMotion]:
    return {head: result for head, result in one.results.items() if isinstance(result, BodyMotion)}


def _refined(
    motions: list[BodyMotion], people: list[Recovered], grounds: list[Ground], camera: PinholeCamera
) -> list[BodyMotion]:
    """Everybody refined side by side; those who cannot be, such as people behind the camera, stay as they are."""
    from motionrep.fitting.keypoints import refine_people, reprojection_error_px

    before_px: dict[int, float] = {}
    for row, (motion, one) in enumerate(zip(motions, people, strict=True)):
        try:
            before_px[row] = reprojection_error_px(motion, one.keypoints, camera)
        except ValueError as error:
            logger.warning("person %s is not refined: %s", one.keypoints.person, error)
    clips, found = [people[row].keypoints for row in before_px], list(motions)
    refined = refine_people([motions[row] for row in before_px], clips, camera, grounds=[grounds[r] for r in before_px])
    for (row, before), clip, motion in zip(before_px.items(), clips, refined, strict=True):
        told = "person %s: %.1f px from the keypoints before refinement, %.1f px after"
        logger.info(told, clip.person, before, reprojection_error_px(motion, clip, camera))
        found[row] = motion
    return found
