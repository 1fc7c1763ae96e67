"""What stands still, for casting rays against: one Open3D scene (Embree) that all sensors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_common.open3d_core import open3d as _open3d
from twin_sim.core.meshes import Mesh

open3d: Any = _open3d  # without stubs
MISSED = np.uint32(0xFFFFFFFF)
NOTHING = np.float32(1e6)  # the distance of what is not there, metres


@dataclass(frozen=True, slots=True)
class Hits:
    """First hits of N rays: ``distance`` float32 (NOTHING: none), ``cosine`` of incidence, ``material`` int32."""

    distance: np.ndarray
    cosine: np.ndarray
    material: np.ndarray


def raycasting_scene(vertices: np.ndarray, triangles: np.ndarray) -> Any:
    """Return a scene of triangles (T, 3) of vertices (V, 3), which is cast on one core."""
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(triangles, np.uint32))
    return scene


def cast(scene: Any, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return distance (N,), triangle (N,) int64, -1 where none, and unit normal (N, 3) of rays (N, 6) float32."""
    answer = scene.cast_rays(open3d.core.Tensor(np.ascontiguousarray(rays, np.float32)), nthreads=1)
    triangle = answer["primitive_ids"].numpy()
    found = np.where(triangle == MISSED, np.int64(-1), triangle.astype(np.int64))
    return answer["t_hit"].numpy(), found, answer["primitive_normals"].numpy()


class StillScene:
    """The static mesh of a district. ``mesh``: map frame, metres."""

    def __init__(self, mesh: Mesh) -> None:
        """Build the tree of triangles."""
        self._empty = len(mesh.triangles) == 0
        self._materials = np.asarray(mesh.materials, np.int32)
        if not self._empty:
            self._scene = raycasting_scene(mesh.vertices, mesh.triangles)

    def cast(self, origins: np.ndarray, directions: np.ndarray, nearest: float) -> Hits:
        """Return the first hits beyond ``nearest`` metres of rays (N, 3) and (N, 3), map frame.

        What is nearer (the pole that carries the sensor) is seen through: a sensor reports nothing there.
        """
        count = len(origins)
        if self._empty:
            return Hits(np.full(count, NOTHING), np.ones(count, np.float32), np.zeros(count, np.int32))
        rays = np.empty((count, 6), np.float32)
        rays[:, :3] = origins + nearest * directions
        rays[:, 3:] = directions
        distance, triangle, normal = cast(self._scene, rays)
        cosine = np.abs(np.einsum("nk,nk->n", normal, rays[:, 3:]))
        return Hits(
            np.minimum(distance + np.float32(nearest), NOTHING), cosine, self._materials[np.maximum(triangle, 0)]
        )
