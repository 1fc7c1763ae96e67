"""Textures of the camera, made once from noise: tiles that repeat without seams, and colours by material.

A texel multiplies the material's colour; 128 leaves it as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from twin_sim.core.meshes import MATERIALS, Material

SIZE = 256
COLOURS = 16  # variants per material

#: sRGB variants of surfaces that differ from object to object, by the start of the material's name.
_VARIANTS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "paint_light": ((236, 238, 240), (226, 228, 228), (216, 218, 220), (232, 230, 224), (242, 240, 232)),
    "paint_mid": ((150, 28, 30), (36, 66, 130), (112, 116, 120), (120, 124, 130), (28, 92, 120), (140, 104, 60),
                  (60, 96, 70), (170, 120, 30)),
    "paint_dark": ((18, 19, 22), (28, 30, 34), (20, 26, 48), (46, 14, 16), (40, 42, 45), (24, 36, 30)),
    "cloth_light": ((222, 220, 214), (236, 236, 234), (232, 214, 150), (216, 170, 184), (240, 240, 240),
                    (176, 204, 222)),
    "cloth_dark": ((30, 32, 42), (36, 42, 60), (24, 24, 26), (52, 46, 42), (48, 54, 50)),
    "skin": ((226, 180, 148), (214, 166, 134), (236, 194, 164), (200, 150, 118)),
    "concrete": ((176, 172, 164), (196, 190, 178), (158, 160, 162), (206, 200, 186), (170, 160, 146), (186, 188, 190),
                 (148, 150, 150), (214, 210, 202)),
    "plaster": ((222, 214, 196), (206, 200, 190), (224, 222, 216), (200, 180, 156), (190, 196, 198), (214, 196, 170)),
    "stone": ((160, 156, 150), (186, 178, 164), (140, 142, 146), (200, 194, 184)),
    "cladding": ((96, 102, 110), (70, 76, 84), (120, 122, 124), (150, 148, 142), (84, 92, 88)),
    "brick": ((148, 88, 68), (132, 74, 58), (164, 112, 86), (120, 82, 70), (172, 136, 112), (142, 100, 84)),
    "sign_face": ((212, 44, 44), (34, 96, 190), (240, 200, 60), (40, 150, 90), (236, 236, 236), (226, 110, 40),
             (200, 60, 140)),
    "awning": ((168, 48, 44), (44, 92, 70), (48, 70, 120), (210, 200, 180)),
}  # fmt: skip


def linear(srgb: np.ndarray) -> np.ndarray:
    """Return light (0..1) of sRGB values (0..1), IEC 61966-2-1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def palette() -> np.ndarray:
    """Return linear colours by material and variant, (materials, COLOURS, 4) float32; the last is emission."""
    rng = np.random.default_rng((11, 1))
    table = np.zeros((len(MATERIALS), COLOURS, 4), np.float32)
    for row, (name, material) in enumerate(MATERIALS.items()):
        own = next((variants for start, variants in _VARIANTS.items() if name.startswith(start)), None)
        base = np.array([material.colour]) if own is None else np.array(own) / 255.0
        shade = rng.uniform(0.94, 1.06, (COLOURS, 1)) if own is not None else np.ones((COLOURS, 1))
        table[row, :, :3] = linear(np.clip(np.resize(base, (COLOURS, 3)) * shade, 0, 1))
        table[row, :, 3] = material.emission
    return table


def _noise(seed: int, low: float, high: float) -> np.ndarray:
    """Return noise (SIZE, SIZE), mean 0, deviation 1, with ``low`` to ``high`` waves a tile; it repeats."""
    white = np.fft.fft2(np.random.default_rng((12, seed)).standard_normal((SIZE, SIZE)))
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE, 1 / SIZE), np.fft.fftfreq(SIZE, 1 / SIZE)))
    passed = np.fft.ifft2(white * ((waves >= low) & (waves <= high)) / np.maximum(waves, 1) ** 0.5).real
    scaled: np.ndarray = passed / passed.std()
    return scaled


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


def _plain() -> np.ndarray:
    return np.ones((SIZE, SIZE, 3))


def _asphalt() -> np.ndarray:
    return _grey(1 + 0.10 * _noise(1, 20, 128) + 0.05 * _noise(2, 1, 6))


def _concrete() -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    joint = (rows % 128 < 2) | (columns % 256 < 2)
    return _grey((1 + 0.035 * _noise(4, 1, 10) + 0.03 * _noise(5, 20, 100)) * np.where(joint, 0.72, 1.0))


def _plaster() -> np.ndarray:
    return _grey(1 + 0.04 * _noise(6, 1, 8) + 0.03 * _noise(7, 30, 128))


def _blocks(rows_a_tile: int, columns_a_tile: int, joint: int, spread: float, seed: int, bond: bool) -> np.ndarray:
    """Return stones of differing shade with darker joints; ``bond`` shifts every other course by half a stone."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    high, wide = SIZE // rows_a_tile, SIZE // columns_a_tile
    course = rows // high
    shifted = columns + (course % 2) * (wide // 2) * bond
    shades = np.random.default_rng((12, seed)).normal(1.0, spread, (rows_a_tile, columns_a_tile))
    shade = shades[course, (shifted // wide) % columns_a_tile]
    gap = (rows % high < joint) | (shifted % wide < joint)
    return np.where(gap, 0.72, shade) * (1 + 0.03 * _noise(seed + 1, 10, 100))


def _brick() -> np.ndarray:
    return _grey(_blocks(16, 4, 2, 0.10, 20, True))


def _paving() -> np.ndarray:
    return _grey(_blocks(8, 4, 2, 0.06, 22, True)) * (1.02, 1.0, 0.98)


def _tiles() -> np.ndarray:
    return _grey(_blocks(4, 4, 2, 0.04, 24, False))


def _leaves() -> np.ndarray:
    return _grey(1 + 0.34 * _noise(30, 6, 40)) * (1 + 0.10 * _noise(31, 3, 20)[..., None] * (1.0, 0.2, -0.6))


def _grass() -> np.ndarray:
    return _grey(1 + 0.20 * _noise(32, 20, 128) + 0.08 * _noise(33, 1, 6))


def _bark() -> np.ndarray:
    return _grey(1 + 0.25 * np.repeat(_noise(34, 8, 60)[:1], SIZE, axis=0) + 0.1 * _noise(35, 10, 60))


def _cloth() -> np.ndarray:
    return _grey(1 + 0.06 * _noise(36, 40, 128) + 0.05 * _noise(37, 2, 8))


def _metal() -> np.ndarray:
    return _grey(1 + 0.05 * _noise(38, 1, 10))


def _sign() -> np.ndarray:
    """Return rows of signs that look like letters from afar, bright on the sign's colour."""
    rng = np.random.default_rng((12, 40))
    face = np.full((SIZE, SIZE), 0.95)
    for left in range(8, SIZE - 40, 42):  # a block of strokes, as Hangul has them
        for _ in range(5):
            x, y = left + rng.integers(0, 24), 70 + rng.integers(0, 100)
            wide, tall = (rng.integers(14, 26), 7) if rng.random() < 0.5 else (7, rng.integers(24, 60))
            face[y : y + tall, x : min(x + wide, left + 34)] = 1.9
    return _grey(face)


def _earth() -> np.ndarray:
    return _grey(1 + 0.16 * _noise(39, 2, 60)) * (1.04, 1.0, 0.94)


#: Texture by name: how it is made, and how many metres a tile covers.
TEXTURES: dict[str, tuple[Callable[[], np.ndarray], float]] = {
    "plain": (_plain, 1.0),
    "asphalt": (_asphalt, 3.0),
    "concrete": (_concrete, 6.0),
    "plaster": (_plaster, 5.0),
    "brick": (_brick, 1.2),
    "paving": (_paving, 1.6),
    "tiles": (_tiles, 1.2),
    "leaves": (_leaves, 1.6),
    "grass": (_grass, 2.0),
    "bark": (_bark, 0.8),
    "cloth": (_cloth, 0.8),
    "metal": (_metal, 2.0),
    "earth": (_earth, 3.0),
    "sign": (_sign, 2.4),
}
_LAYERS = tuple(TEXTURES)
#: How a material is shaded beyond its texture.
STYLE_MATT, STYLE_GLASS, STYLE_GROUND = 0, 1, 2
_GROUND = ("asphalt", "paving", "earth", "grass", "tiles")


@functools.cache
def tiles() -> np.ndarray:
    """Return all tiles, (layers, SIZE, SIZE, 4) uint8."""
    stack = np.full((len(_LAYERS), SIZE, SIZE, 4), 255, np.uint8)
    for layer, (make, _) in enumerate(TEXTURES.values()):
        stack[layer, ..., :3] = np.clip(np.round(128 * make()), 0, 255)
    return stack


def surfaces() -> np.ndarray:
    """Return layer, tiles per metre, roughness and style of each material, (materials, 4) float32."""
    return np.array([_surface(material) for material in MATERIALS.values()], np.float32)


def _surface(material: Material) -> tuple[float, float, float, float]:
    name = material.texture if material.texture in TEXTURES else "plain"
    style = STYLE_GROUND if name in _GROUND else STYLE_GLASS if material.texture == "glass" else STYLE_MATT
    return float(_LAYERS.index(name)), 1.0 / TEXTURES[name][1], material.roughness, float(style)


def grain() -> np.ndarray:
    """Return the sensor's noise, (512, 512, 4) uint8: Gaussian, 128 is none, 32 a standard deviation."""
    values = np.random.default_rng((13, 0)).standard_normal((512, 512, 4))
    return np.clip(np.round(128 + 32 * values), 0, 255).astype(np.uint8)


def drops(width: int, height: int, count: int, seed: int) -> np.ndarray:
    """Return what drops on the lens do: (height, width, 3) float32, pixels to look aside (2), and how far it blurs."""
    rng = np.random.default_rng((14, seed))
    drop = np.zeros((height, width, 3), np.float32)
    for _ in range(count):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), height * rng.uniform(0.006, 0.022)
        left, top, reach = max(int(x - radius), 0), max(int(y - 1.2 * radius), 0), int(2.4 * radius) + 2
        patch = drop[top : top + reach, left : left + reach]
        dy, dx = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        dx, dy = (dx - x) / radius, (dy - y) / (radius * 1.15)
        inside = dx * dx + dy * dy < 1
        bend = -3.0 * radius * (dx * dx + dy * dy) ** 0.7
        patch[inside] = np.stack([dx * bend, dy * bend, np.full_like(dx, 0.8)], axis=2)[inside]
    return drop
