"""OpenGL of the camera: a context without a screen, programs, and the buffers of one view."""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np

from twin_common.config import ConfigError
from twin_sim.core import camera_lens_shaders as lens
from twin_sim.core import camera_shaders as shaders
from twin_sim.core import camera_textures as textures
from twin_sim.core.camera_model import CameraModel

SHADOW_SIZE = 1024  # texels of a shadow map's side


def create_context() -> Any:
    """Return a standalone EGL context of OpenGL 4.3 or later.

    Raises:
        ConfigError: there is none; says which packages bring it.

    """
    hint = "expected EGL and OpenGL 4.3; on Debian or Ubuntu install libegl1 libgl1 libgl1-mesa-dri (software will do)"
    try:
        options: dict[str, Any] = {"standalone": True, "backend": "egl"}
        context = moderngl.create_context(require=430, **options)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"camera: no OpenGL without a screen ({reason}); {hint}") from None
    return context


_PASSES = {
    "surface": (shaders.SURFACE_VERTEX, shaders.SURFACE_FRAGMENT),
    "sky": (shaders.SCREEN_VERTEX, shaders.SKY_FRAGMENT),
    "light": (shaders.SCREEN_VERTEX, shaders.LIGHT_FRAGMENT),
    "develop": (shaders.SCREEN_VERTEX, lens.DEVELOP_FRAGMENT),
}


class Studio:
    """A context with the programs and textures that all views share. Release it with ``release()``."""

    def __init__(self) -> None:
        """Create the context.

        Raises:
            ConfigError: no OpenGL.

        """
        self.context = create_context()
        self._programs: dict[tuple[str, ...], Any] = {}
        try:
            with self.context:
                self._fill()
        except Exception:
            self.context.release()
            raise

    def _fill(self) -> None:
        context = self.context
        self.shadow = context.program(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT)
        self.glow = context.program(lens.GLOW_VERTEX, lens.GLOW_FRAGMENT)
        stack = textures.tiles()
        self.tiles = context.texture_array((textures.SIZE, textures.SIZE, len(stack)), 4, stack.tobytes())
        self.tiles.build_mipmaps()
        self.tiles.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self.palette = self.table(textures.palette())
        self.surfaces = self.table(textures.surfaces()[None])
        self.grain = context.texture((512, 512), 4, textures.grain().tobytes())
        self.screen = context.buffer(np.array([-1, -1, 3, -1, -1, 3], "<f4").tobytes())

    def program(self, kind: str, *variants: str) -> Any:
        """Return the program of a pass ("surface", "sky", "light", "develop") in a variant; it is made once."""
        key = (kind, *variants)
        if key not in self._programs:
            vertex, fragment = _PASSES[kind]
            self._programs[key] = self.context.program(vertex, shaders.variant(fragment, *variants))
        return self._programs[key]

    def table(self, values: np.ndarray) -> Any:
        """Return a texture of floats (rows, columns, channels) that is read texel by texel."""
        rows, columns, channels = values.shape
        texture = self.context.texture(
            (columns, rows), channels, np.ascontiguousarray(values, "<f4").tobytes(), dtype="f4"
        )
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return texture

    def release(self) -> None:
        """Give the context and all that is in it back."""
        self.context.release()


def set_uniforms(program: Any, **values: Any) -> None:
    """Set uniforms by name; names that the compiler has left out are passed over."""
    for name, value in values.items():
        if name not in program:
            continue
        member = program[name]
        if isinstance(value, np.ndarray):
            if value.ndim == 2 and value.shape[0] == value.shape[1]:
                value = value.T  # OpenGL keeps matrices column by column
            member.write(np.ascontiguousarray(value, "<f4").tobytes())
        else:
            member.value = value


def bind(program: Any, **samplers: Any) -> None:
    """Bind textures to the program's samplers by name."""
    for unit, (name, texture) in enumerate(samplers.items()):
        if name in program:
            texture.use(unit)
            program[name].value = unit


class Surfaces:
    """What is seen at each pixel, before light falls on it: colour, normal, lamps' light, index, depth."""

    def __init__(self, context: Any, size: tuple[int, int]) -> None:
        """Allocate textures of a size."""
        self.albedo, self.normal, self.light = (context.texture(size, 4) for _ in range(3))
        self.id = context.texture(size, 1, dtype="i4")
        self.depth = context.depth_texture(size)
        self.depth.compare_func = ""
        for texture in (self.albedo, self.normal, self.light, self.id, self.depth):
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self.buffer = context.framebuffer([self.albedo, self.normal, self.light, self.id], self.depth)
        self._nobody = np.full((size[1], size[0]), -1, np.int32).tobytes()

    def clear(self) -> None:
        """Make it all sky, and draw into it from now on."""
        self.buffer.use()
        self.buffer.clear(depth=1.0)
        self.id.write(self._nobody)


class ShadowMap:
    """Depths seen from the light."""

    def __init__(self, context: Any) -> None:
        """Allocate."""
        self.depth = context.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.depth.compare_func = "<="
        self.depth.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.depth.repeat_x = self.depth.repeat_y = False
        self.buffer = context.framebuffer(depth_attachment=self.depth)


class Buffers:
    """The buffers of one view."""

    def __init__(self, context: Any, model: CameraModel, drop_seed: int) -> None:
        """Allocate for a camera."""
        width, height, self.matrix = model.straight()
        self.size = (width, height)
        self.out_size = (model.width, model.height)
        self.still, self.seen = Surfaces(context, self.size), Surfaces(context, self.size)
        self.still_shadow, self.moving_shadow = ShadowMap(context), ShadowMap(context)
        self.picture = context.texture(self.size, 4)
        self.picture.repeat_x = self.picture.repeat_y = False
        self.lit = context.framebuffer([self.picture], self.seen.depth)
        self.lit.depth_mask = False
        self.rgb = context.texture(self.out_size, 4)
        self.out = context.framebuffer([self.rgb])
        self.source = model.source_pixels() if any(model.distortion) else None
        if self.source is not None:
            self.source = self.source - (model.matrix() - self.matrix)[:2, 2]
        self.warp = self._floats(context, np.zeros((1, 1, 2)) if self.source is None else self.source)
        self.lens = self._floats(context, textures.drops(model.width, model.height, 60, drop_seed))

    def geometry(self, near: float, far: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what was seen, as the lens shows it: depth (H, W) float32, metres, and ids (H, W) int32."""
        width, height = self.size
        window = np.frombuffer(self.seen.depth.read(), np.float32).reshape(height, width)
        ids = np.frombuffer(self.seen.id.read(), np.int32).reshape(height, width)
        if self.source is not None:
            columns, rows = np.moveaxis(np.floor(self.source + 0.5).astype(int), 2, 0)
            at = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
            window, ids = window[at], ids[at]
        depth = np.float32(near * far) / (np.float32(far) - window * np.float32(far - near))
        depth[window >= 1.0] = np.inf
        return depth, ids.copy()

    @staticmethod
    def _floats(context: Any, values: np.ndarray) -> Any:
        rows, columns, channels = values.shape
        texture = context.texture((columns, rows), channels, np.ascontiguousarray(values, "<f4").tobytes(), dtype="f4")
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return texture
