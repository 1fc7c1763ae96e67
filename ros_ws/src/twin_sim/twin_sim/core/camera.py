"""The camera: draws the same meshes as the LiDAR casts, through OpenGL without a screen.

What stands still is drawn anew only when the camera moves or the light changes; what moves, each frame. Both leave
their surfaces (deferred shading, Saito and Takahashi 1990), on which light, air, lens and sensor then act.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import moderngl
import numpy as np

from twin_common.config import Config, setting
from twin_sim.core import camera_gl, camera_lamps
from twin_sim.core.bodies import Bodies
from twin_sim.core.camera_gl import bind, set_uniforms
from twin_sim.core.camera_light import Lighting, lighting
from twin_sim.core.camera_model import NEAR, CameraModel, clip_from_optical
from twin_sim.core.camera_scene import VERTEX, Movers, TiledScene, in_view, movers, tiled_scene, together
from twin_sim.core.frame import Frame, Weather
from twin_sim.core.meshes import Mesh
from twin_sim.world import World


@dataclass(frozen=True, slots=True)
class CameraSettings(Config):
    """How far the camera looks, and what its sensor and lens do."""

    reach: float = setting(450.0, "m", "beyond which nothing is drawn", low=20.0, high=3000.0)
    actor_reach: float = setting(180.0, "m", "beyond which no actor is drawn", low=10.0, high=1000.0)
    shadow_reach: float = setting(60.0, "m", "half the side of the square in which shadows fall", low=10.0, high=300.0)
    noise: float = setting(1.0, "1", "scale of the sensor's noise", low=0.0, high=10.0)
    lens_drops: bool = setting(True, doc="rain leaves drops on the lens")


@dataclass(frozen=True, slots=True)
class Picture:
    """One exposure.

    Args:
        stamp_ns: when.
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the optical axis; inf: sky.
        ids: (H, W) int32, index in the frame's actors; -1: none.
        map_from_camera: (4, 4), where the optical frame was.
        model: the camera.
        bodies: what could be seen; the labels' third column is the index in the frame's actors.

    """

    stamp_ns: int
    rgb: np.ndarray
    depth: np.ndarray
    ids: np.ndarray
    map_from_camera: np.ndarray
    model: CameraModel
    bodies: Movers


class View:
    """One camera's buffers, and what it drew last of the things that stand still."""

    def __init__(self, buffers: camera_gl.Buffers, model: CameraModel, seed: int) -> None:
        """Start with nothing drawn."""
        self.buffers = buffers
        self.model = model
        self.seed = seed
        self.drawn: tuple[bytes, Weather] | None = None
        self.shadowed: tuple[tuple[int, ...], Weather] | None = None
        self.shadow_from_map = np.eye(4)


class CameraRenderer:
    """Draws a district for any number of cameras. Close it, or use it in a ``with`` statement.

    Raises:
        ConfigError: no OpenGL; says which packages bring it.

    """

    def __init__(
        self, scenery: Mesh, world: World | None = None, settings: CameraSettings | None = None, seed: int = 0
    ) -> None:
        """Upload what stands still."""
        self.settings = settings or CameraSettings()
        self._seed = seed
        self._bodies, self._rain = Bodies(), 0.0
        self._scene: TiledScene = tiled_scene(scenery, world)
        self._lamps = camera_lamps.street_lamps(world)
        self._studio = camera_gl.Studio()
        context = self._studio.context
        with context:
            self._still = context.buffer(self._scene.vertices.tobytes() or bytes(VERTEX.itemsize))
            self._all = context.buffer(self._scene.triangles.tobytes() or bytes(12))
            self._seen = context.buffer(reserve=max(self._scene.triangles.nbytes, 12))
            self._moving, self._moving_index, self._labels = (context.buffer(reserve=1 << 18) for _ in range(3))
            self._glow = context.buffer(reserve=28 * 2048)
        self._closed = False

    def __enter__(self) -> CameraRenderer:
        """Return the renderer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Release the context; a second time does nothing."""
        if not self._closed:
            self._closed = True
            self._studio.release()

    def view(self, model: CameraModel, number: int = 0) -> View:
        """Return a view for a camera; ``number`` tells cameras of one run apart in their noise."""
        with self._studio.context:
            return View(camera_gl.Buffers(self._studio.context, model, number), model, number)

    def render(
        self, view: View, map_from_camera: np.ndarray, frame: Frame, weather: Weather, own_id: int = 0
    ) -> Picture:
        """Return what a camera sees.

        Args:
            view: of the camera.
            map_from_camera: (4, 4), of its optical frame.
            frame: the district.
            weather: of the run.
            own_id: actor_id of the vehicle that carries the camera, which it does not see; 0: none.

        """
        if self._closed:
            raise ValueError("camera renderer: closed; expected an open one")
        if map_from_camera.shape != (4, 4):
            raise ValueError(f"map_from_camera: expected (4, 4), got {map_from_camera.shape}")
        light = lighting(weather)
        buffers = view.buffers
        optical_from_map = np.linalg.inv(map_from_camera)
        clip = clip_from_optical(*buffers.size, buffers.matrix, self.settings.reach)
        clip_from_map = clip @ optical_from_map
        eye = map_from_camera[:3, 3]
        turned = optical_from_map.copy()
        turned[:3, 3] = 0.0
        if weather.rain != self._rain:
            self._bodies, self._rain = Bodies(weather.rain), weather.rain
        lamps = camera_lamps.nearest_lamps(self._lamps, eye, light)
        bodies = self._placed(frame.actors, clip_from_map, eye, own_id, lamps)
        moving = together(bodies, camera_lamps.lenses(frame.signals))
        with self._studio.context as context:
            context.enable_only(moderngl.DEPTH_TEST)
            self._draw_shadows(view, eye, map_from_camera, light, weather, moving)
            self._draw_surfaces(view, clip @ turned, clip_from_map, eye, light, weather, moving, lamps)
            self._cast_light(view, map_from_camera, frame, light)
            self._add_glow(view, clip @ turned, eye, frame, light)
            rgb = self._developed(view, frame.stamp_ns, light)
            depth, ids = buffers.geometry(NEAR, self.settings.reach)
        return Picture(frame.stamp_ns, rgb, depth, ids, map_from_camera.copy(), view.model, bodies)

    def _placed(
        self, actors: np.ndarray, clip_from_map: np.ndarray, eye: np.ndarray, own_id: int, lamps: np.ndarray
    ) -> Movers:
        """Return the bodies that a view, or the shadows in it, may show."""
        places = np.column_stack([actors["x"], actors["y"], actors["z"]])
        half = np.hypot(actors["length"], actors["width"])[:, None] / 2 + 0.3
        tall = np.column_stack([half, half, np.maximum(half[:, 0], actors["height"] + 0.3)])
        distance = np.linalg.norm(places - eye, axis=1)
        near = distance < self.settings.actor_reach
        near &= in_view(clip_from_map, places - tall, places + tall) | (distance < 0.5 * self.settings.shadow_reach)
        chosen = np.flatnonzero(near & ((actors["actor_id"] != own_id) | (own_id == 0)))
        placed = self._bodies.placed(actors[chosen])
        owners = chosen[placed.owners] if len(chosen) else placed.owners
        lit = camera_lamps.lamplight(places, lamps)
        return movers(placed.vertices, placed.triangles, placed.materials, owners, actors["appearance"], lit)

    def _upload(self, moving: Movers) -> None:
        for buffer, values in zip(
            (self._moving, self._moving_index, self._labels),
            (moving.vertices, moving.triangles, moving.labels), strict=True,
        ):  # fmt: skip
            if values.nbytes > buffer.size:
                buffer.orphan(2 * values.nbytes)
            buffer.write(np.ascontiguousarray(values))

    def _draw(self, program: Any, buffer: Any, index: Any, corners: int, front: str) -> None:
        """Draw the sides of triangles that face the viewer.

        Args:
            program: what draws.
            buffer: vertices; those of what stands still carry labels.
            index: triples of vertices.
            corners: how many of the index.
            front: which way round they go on the screen: "cw" in pictures, whose rows go down.

        """
        context = self._studio.context
        layout: tuple[Any, ...] = (buffer, "3f4", "in_position")
        if buffer is self._still:
            labelled = "in_labels" in program
            layout = (buffer, "3f4 3i4", "in_position", "in_labels") if labelled else (buffer, "3f4 12x", "in_position")
        context.enable(moderngl.CULL_FACE)
        context.front_face = front
        array = context.vertex_array(program, [layout], index)
        array.render(moderngl.TRIANGLES, corners)
        array.release()
        context.disable(moderngl.CULL_FACE)

    def _draw_shadows(
        self, view: View, eye: np.ndarray, map_from_camera: np.ndarray, light: Lighting, weather: Weather,
        moving: Movers,
    ) -> None:  # fmt: skip
        reach = self.settings.shadow_reach
        ahead = eye + map_from_camera[:3, 2] * (1, 1, 0) * 0.55 * reach
        grid = 0.2 * reach  # shadows follow a moving camera in steps, so that their edges do not swim
        cell = (*np.round(ahead[:2] / grid).astype(int).tolist(), round(float(eye[2]) / 30.0))
        program = self._studio.shadow
        if view.shadowed != (cell, weather):
            centre = np.array([cell[0] * grid, cell[1] * grid, 0.0])
            view.shadow_from_map = camera_lamps.shadow_projection(light.direct, centre, reach)
            set_uniforms(program, shadow_from_map=view.shadow_from_map)
            view.buffers.still_shadow.buffer.use()
            view.buffers.still_shadow.buffer.clear(depth=1.0)
            self._draw(program, self._still, self._all, self._scene.triangles.size, "ccw")
            view.shadowed, view.drawn = (cell, weather), None
        set_uniforms(program, shadow_from_map=view.shadow_from_map)
        view.buffers.moving_shadow.buffer.use()
        view.buffers.moving_shadow.buffer.clear(depth=1.0)
        if len(moving.triangles):
            self._upload(moving)
            # Sides that face away from the light: so no body darkens its own lit side, and shadows begin at the feet.
            self._draw(program, self._moving, self._moving_index, moving.triangles.size, "cw")

    def _draw_surfaces(
        self, view: View, clip_from_away: np.ndarray, clip_from_map: np.ndarray, eye: np.ndarray, light: Lighting,
        weather: Weather, moving: Movers, lamps: np.ndarray,
    ) -> None:  # fmt: skip
        studio, buffers = self._studio, view.buffers
        uniforms: dict[str, Any] = dict(
            clip_from_away=clip_from_away, eye=eye, shadow_from_map=view.shadow_from_map, direct=light.direct,
            spread=light.spread / (2 * self.settings.shadow_reach), wet=light.wet,
            lamp_count=int((lamps[:, 3] > 0).sum()), lamps=lamps,
        )  # fmt: skip
        textures = {"tiles": studio.tiles, "surfaces": studio.surfaces, "palette": studio.palette,
                    "still_shadow": buffers.still_shadow.depth}  # fmt: skip
        dark = light.variants()
        pose = clip_from_map.tobytes()
        if view.drawn != (pose, weather):
            triangles = self._scene.seen(clip_from_map, eye, self.settings.reach, 1 / buffers.matrix[0, 0])
            buffers.still.clear()
            if len(triangles):
                program = studio.program("surface", *dark, *(("WET",) if light.wet > 0 else ()))
                self._seen.write(np.ascontiguousarray(triangles).tobytes())
                bind(program, **textures)
                set_uniforms(program, **uniforms)
                self._draw(program, self._still, self._seen, triangles.size, "cw")
            view.drawn = (pose, weather)
        studio.context.copy_framebuffer(buffers.seen.buffer, buffers.still.buffer)
        if len(moving.triangles):
            program = studio.program("surface", "MOVING", *dark)
            bind(program, **textures)
            set_uniforms(program, **uniforms)
            self._labels.bind_to_storage_buffer(0)
            buffers.seen.buffer.use()
            self._draw(program, self._moving, self._moving_index, moving.triangles.size, "cw")

    def _full_screen(self, program: Any) -> None:
        array = self._studio.context.vertex_array(program, [(self._studio.screen, "2f4", "in_corner")])
        array.render(moderngl.TRIANGLES, 3)
        array.release()

    def _cast_light(self, view: View, map_from_camera: np.ndarray, frame: Frame, light: Lighting) -> None:
        """Light what was seen, and fill the rest with sky: depths of 1 are sky."""
        buffers, seen, context = view.buffers, view.buffers.seen, self._studio.context
        k, eye = buffers.matrix, map_from_camera[:3, 3]
        heads, ways = camera_lamps.headlights(frame.actors, eye, light)
        uniforms: dict[str, Any] = dict(
            eye=eye, map_from_optical=map_from_camera[:3, :3],
            ray=np.array([1 / k[0, 0], 1 / k[1, 1], -k[0, 2] / k[0, 0], -k[1, 2] / k[1, 1]]),
            near_far=(NEAR, self.settings.reach), shadow_from_map=view.shadow_from_map, direct=light.direct,
            direct_colour=light.direct_colour, sky_light=light.sky_light, ground_light=light.ground_light,
            air=light.air, extinction=light.extinction, exposure=light.exposure, glow=light.glow,
            spread=light.spread / (2 * self.settings.shadow_reach), zenith=light.zenith, horizon=light.horizon,
            sun=light.sun, sun_colour=light.sun_colour, clouds=light.clouds,
            head_count=int((heads[:, 3] > 0).sum()), heads=heads, head_ways=ways,
        )  # fmt: skip
        buffers.lit.use()
        for kind, variants, depth_test in (
            ("sky", ("CLOUDS",) if light.clouds > 0 else (), "<="), ("light", light.variants(), ">"),
        ):  # fmt: skip
            program = self._studio.program(kind, *variants)
            set_uniforms(program, **uniforms)
            bind(
                program, tiles=self._studio.tiles, albedos=seen.albedo, normals=seen.normal, lights=seen.light,
                depths=seen.depth, moving_shadow=buffers.moving_shadow.depth,
            )  # fmt: skip
            context.depth_func = depth_test
            self._full_screen(program)
        context.depth_func = "<"
        context.enable_only(moderngl.NOTHING)

    def _add_glow(self, view: View, clip_from_away: np.ndarray, eye: np.ndarray, frame: Frame, light: Lighting) -> None:
        sources = camera_lamps.glowing(frame, self._lamps, eye, light, self.settings.actor_reach)
        if not len(sources):
            return
        context, buffers, program = self._studio.context, view.buffers, self._studio.glow
        if sources.nbytes > self._glow.size:
            self._glow.orphan(2 * sources.nbytes)
        self._glow.write(np.ascontiguousarray(sources, "<f4").tobytes())
        context.enable(moderngl.BLEND | moderngl.PROGRAM_POINT_SIZE)
        context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_COLOR
        set_uniforms(
            program, clip_from_away=clip_from_away, eye=eye, size=tuple(map(float, buffers.size)),
            scale=float(buffers.matrix[0, 0]), near_far=(NEAR, self.settings.reach),
        )  # fmt: skip
        bind(program, depths=buffers.seen.depth)
        array = context.vertex_array(program, [(self._glow, "3f4 4f4", "in_position", "in_colour")])
        array.render(moderngl.POINTS, len(sources))
        array.release()
        context.enable_only(moderngl.NOTHING)

    def _developed(self, view: View, stamp_ns: int, light: Lighting) -> np.ndarray:
        """Return the picture after lens and sensor, (H, W, 3) uint8."""
        buffers = view.buffers
        drops = light.rain * self.settings.lens_drops
        wanted = (("WARPED", buffers.source is not None), ("RAIN", light.rain > 0))
        program = self._studio.program("develop", *(name for name, on in wanted if on))
        rng = np.random.default_rng((self._seed, view.seed, stamp_ns // 1000))
        shift = tuple(rng.integers(0, 512, 2).tolist())
        set_uniforms(
            program, lens_drops=drops, size=tuple(map(float, buffers.size)), rain=light.rain,
            out_size=tuple(map(float, buffers.out_size)), noise_shift=shift, moment=int(rng.integers(1 << 31)),
            noise=(light.noise[0] * self.settings.noise, light.noise[1] * self.settings.noise),
            streak_colour=np.clip(light.air * 0.9 + 0.06, 0, 0.9),
        )  # fmt: skip
        bind(program, picture=buffers.picture, warp=buffers.warp, lens=buffers.lens, grain=self._studio.grain)
        buffers.out.use()
        self._full_screen(program)
        width, height = buffers.out_size
        return np.frombuffer(buffers.rgb.read(), np.uint8).reshape(height, width, 4)[..., :3].copy()
