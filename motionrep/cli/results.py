"""The files that `motionrep predict` leaves: motions, actions, meshes for other programs, videos, a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.inputs import name_of

if TYPE_CHECKING:
    from motionrep.pipeline import Recovered, Recoverer


@dataclass(frozen=True)
class ResultFiles:
    """What predict writes into a folder, under names that begin with `name`.

    Attributes:
        video: The source video, if it is known.
        fps_known: False when the clip's frame rate is an assumption.
    """

    folder: Path
    name: str
    video: Path | None
    device: str
    fps_known: bool

    def save(self, person: "Recovered") -> None:
        """Writes the motions and the actions of a person."""
        from motionrep.motion.contacts import Ground
        from motionrep.types import ActionScores, BodyMotion, JointMotion

        for head, path in person.save(self.folder, self.name).items():
            print(_line(person, head, path))
        for result in person.results.values():
            if not isinstance(result, BodyMotion | JointMotion | ActionScores | Ground):
                print(f"person {person.keypoints.person}: {result}")

    def draw(self, people: "Sequence[Recovered]") -> list[Path]:
        """Writes a .glb of each mesh, and for each head a video of everybody.

        Without a source video, people without a place in the camera get one each.
        """
        from motionrep.motion.exporting import export_motion
        from motionrep.types import BodyMotion, JointMotion
        from motionrep.viewing.overlay import render_people

        movies = []
        for head, result in people[0].results.items():
            if not isinstance(result, BodyMotion | JointMotion):
                continue
            ending = people[0].endings()[head]
            paths = [self.folder / f"{self.name}_{one.index}{ending}" for one in people]
            for one, path in zip(people, paths, strict=True):
                saved = one.saved(head)
                if isinstance(saved, BodyMotion):
                    print(f"{export_motion([saved], path.with_name(path.name + '.glb'))}: its mesh")
            if self.video is not None:
                drawn = {self.folder / f"{self.name}_overlay{ending}.mp4": list(people)}
            elif len(people) > 1 and result.frame != "root":
                drawn = {self.folder / f"{self.name}_together{ending}.mp4": list(people)}
            else:
                drawn = {path.with_name(path.name + ".mp4"): [one] for one, path in zip(people, paths, strict=True)}
            for path, some in drawn.items():
                movies.append(
                    render_people(
                        [one.saved(head) for one in some], [one.keypoints for one in some], path, self.video,
                        some[0].camera, device=self.device, progress=True,
                    )
                )  # fmt: skip
                print(f"{path}: {len(some)} person(s)")
        return movies

    def report(self, people: "Sequence[Recovered]", recoverer: "Recoverer", movie: Path | None) -> None:
        """Writes the page; it shows the video that was drawn already, if that is of everybody."""
        from motionrep.types import ActionScores
        from motionrep.viewing.report import analyse, save_report

        reports = []
        for one in people:
            acts = any(isinstance(result, ActionScores) for result in one.results.values())
            label = name_of(self.name, one.index, len(people))
            reports.append(analyse(label, one, recoverer.encoder, acts, self.fps_known))
        page = self.folder / f"{self.name}_report.html"
        film = movie if self.video is not None else None
        windows_s = recoverer.window_s, recoverer.used_step_s
        save_report(self.name, reports, page, True, video=self.video, movie=film, windows_s=windows_s)
        print(f"{page}: a page to look at")


def _line(recovered: "Recovered", head: str, path: Path) -> str:
    from motionrep.types import ActionScores

    result, person = recovered.results[head], recovered.keypoints.person
    if isinstance(result, ActionScores):
        return f"{path}: person {person}, {result.best} ({result.probability().max():.0%})"
    frame = recovered.saved_frame(result)
    return f"{path}: person {person}, {result.frame_count} frames in {frame} axes, from frame {result.first_frame} on"
