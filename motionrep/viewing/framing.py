"""Keeps the whole row of motions in sight of every browser, whatever the shape of its window."""

from typing import Any

import numpy as np

from motionrep.viewing.overview import FIELD_OF_VIEW_RAD, Overview, Place

_UPRIGHT = 0.8  # windows of a smaller aspect may be phones, where viser's controls lie over the lower part
_UNCOVERED = 0.44
_SAME_PLACE_M, _SAME_SHAPE = 0.01, 0.03


class Framing:
    """Sets the camera of a browser when it connects and when its window changes, unless somebody has moved it."""

    def __init__(self, server: Any, overview: Overview) -> None:
        self._server, self._overview = server, overview
        self._aspects: dict[int, float] = {}  # for which the camera of each browser was set
        self._places: list[Place] = [server.initial_camera.position]  # where cameras were put
        server.on_client_connect(self._on_connect)

    def reset(self) -> None:
        """Brings the cameras of all browsers back."""
        for client in self._server.get_clients().values():
            client.camera.up_direction = (0.0, 1.0, 0.0)
            client.camera.fov = FIELD_OF_VIEW_RAD
            self._fit(client.camera)

    def _on_connect(self, client: Any) -> None:
        self._fit(client.camera)
        client.camera.on_update(self._on_update)

    def _on_update(self, camera: Any) -> None:
        # A slow browser draws fewer pixels, in a window of the same shape.
        resized = abs(_aspect(camera) / self._aspects[camera.client.client_id] - 1) > _SAME_SHAPE
        if resized and any(np.allclose(camera.position, place, atol=_SAME_PLACE_M) for place in self._places):
            self._fit(camera)

    def _fit(self, camera: Any) -> None:
        self._aspects[camera.client.client_id] = aspect = _aspect(camera)
        place, target = self._overview.camera(aspect, _UNCOVERED if aspect < _UPRIGHT else 1.0)
        self._places.append(place)
        camera.position, camera.look_at = place, target


def _aspect(camera: Any) -> float:
    return max(1, camera.image_width) / max(1, camera.image_height)
