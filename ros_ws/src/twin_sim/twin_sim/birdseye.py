"""Pictures of the district from above: zones, buildings, poles, actors with their headings, signals, events.

``Ground`` draws what stands still once; ``Ground.with_frame`` adds a frame. North is up, map frame, metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from twin_common.core.object_class import ObjectClass
from twin_sim.core.frame import Activity, Event, Frame, Shape, SignalState
from twin_sim.world import World

SMOOTH = 2  # everything is drawn this many times larger, then made smaller
_ZONES = {
    "site": (214, 198, 160), "plaza": (226, 220, 206), "sidewalk": (214, 214, 210), "carriageway": (158, 160, 164),
    "parking": (150, 152, 158),
    "crosswalk": (236, 236, 236),
}  # fmt: skip
BACKGROUND, INK = (236, 238, 234), (40, 44, 52)
#: Colour and name of what is drawn, by class.
CLASSES: dict[int, tuple[tuple[int, int, int], str]] = {
    ObjectClass.UNKNOWN: ((120, 120, 120), "thing"),
    ObjectClass.CAR: ((38, 98, 190), "car"),
    ObjectClass.TRUCK: ((24, 62, 122), "truck"),
    ObjectClass.BUS: ((14, 120, 150), "bus"),
    ObjectClass.MOTORCYCLE: ((128, 60, 170), "motorcycle"),
    ObjectClass.SCOOTER: ((206, 70, 190), "kick scooter"),
    ObjectClass.BICYCLE: ((24, 140, 76), "bicycle"),
    ObjectClass.PEDESTRIAN: ((226, 118, 22), "pedestrian"),
    ObjectClass.ANIMAL: ((120, 90, 50), "animal"),
    ObjectClass.DEBRIS: ((110, 66, 44), "debris"),
}
_DOWN = (Activity.FALLING, Activity.LYING)
_ALARM = (214, 30, 44)
_SIGNALS = {SignalState.RED: (222, 40, 40), SignalState.YELLOW: (240, 190, 30), SignalState.GREEN: (30, 170, 80)}
_TREE, _LAMP, _PARKED, _POLE = (120, 158, 96), (196, 178, 90), (132, 138, 146), (16, 92, 100)
_PANEL, _CRANE, _WHITE = (150, 50, 120), (200, 150, 20), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the map: its middle and its width, metres, and the size of its picture, px; height 0: a square."""

    x: float
    y: float
    span: float
    pixels: int = 720
    height_px: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, px."""
        return self.pixels, self.height_px or self.pixels

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Return the places (N, 2), px of the large picture, of points (N, 2) of the map."""
        scale = self.pixels * SMOOTH / self.span
        turned: np.ndarray = (np.asarray(points, float) - (self.x, self.y)) * (scale, -scale) + np.array(
            self.size
        ) * SMOOTH / 2
        return turned

    @property
    def scale(self) -> float:
        """Pixels of the large picture in a metre."""
        return self.pixels * SMOOTH / self.span


def whole(world: World, pixels: int = 960) -> Area:
    """Return the area that holds a district."""
    x0, y0, x1, y1 = world.config.bounds
    span = 1.03 * (x1 - x0)
    height = round(pixels * (1.03 * (y1 - y0) + 0.03 * span) / span)
    return Area((x0 + x1) / 2, (y0 + y1) / 2, span, pixels, height)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SMOOTH)


def _polygon(draw: ImageDraw.ImageDraw, corners: np.ndarray, fill: tuple[int, ...] | None, line: object = None) -> None:
    draw.polygon([tuple(corner) for corner in corners.tolist()], fill=fill, outline=line)  # type: ignore[arg-type]


def outline(row: np.ndarray) -> np.ndarray:
    """Return the corners (4, 2) of an actor's box on the ground, metres, map frame; front left first."""
    half = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (row["length"] / 2, row["width"] / 2)
    cos, sin = np.cos(row["yaw"]), np.sin(row["yaw"])
    turned: np.ndarray = half @ np.array([(cos, sin), (-sin, cos)]) + (row["x"], row["y"])
    return turned


class Ground:
    """What stands still in an area of a district, drawn once."""

    def __init__(self, world: World, area: Area) -> None:
        """Draw zones, buildings, things, parked vehicles and poles."""
        self.area = area
        width, height = area.size
        self._image = Image.new("RGB", (width * SMOOTH, height * SMOOTH), BACKGROUND)
        draw = ImageDraw.Draw(self._image)
        for kind, colour in _ZONES.items():
            for polygon in world.district.polygons(kind):
                _polygon(draw, area.to_pixels(polygon), colour)
        for zone in world.district.zones:
            if zone.kind == "building":
                shade = round(178 - min(zone.height, 60.0) * 1.1)
                _polygon(draw, area.to_pixels(zone.corners()), (shade, shade - 4, shade - 10), (90, 88, 86))
        self._add_things(draw, world)
        self._add_poles(draw, world)

    def _add_things(self, draw: ImageDraw.ImageDraw, world: World) -> None:
        config, scale = world.config, self.area.scale
        for thing in config.things:
            radius = {"tree": 1.6, "lamp": 0.3}.get(thing.kind, 0.5) * thing.size * scale
            colour = {"tree": _TREE, "lamp": _LAMP}.get(thing.kind, _PARKED)
            self._dot(draw, (thing.x, thing.y), max(radius, 1.0), colour)
        for item in config.parked:
            row = np.zeros((), [(name, "f8") for name in ("x", "y", "yaw", "length", "width")])
            size = (2.0, 0.7) if item.shape == "motorcycle" else (4.6, 1.8)
            row[()] = (item.x, item.y, np.radians(item.yaw_deg), *size)
            _polygon(draw, self.area.to_pixels(outline(row)), _PARKED, (96, 100, 108))
        for panel in config.panels:
            across = np.radians(panel.yaw_deg + 90)
            half = np.array([np.cos(across), np.sin(across)]) * panel.width / 2
            middle = np.array([panel.x, panel.y])
            self._line(draw, middle - half, middle + half, _PANEL)
        for crane in config.cranes:
            jib = np.radians(crane.yaw_deg)
            foot = np.array([crane.x, crane.y])
            self._line(draw, foot, foot + crane.jib * np.array([np.cos(jib), np.sin(jib)]), _CRANE)

    def _line(self, draw: ImageDraw.ImageDraw, start: np.ndarray, end: np.ndarray, colour: tuple[int, ...]) -> None:
        ends = self.area.to_pixels(np.array([start, end]))
        draw.line([tuple(spot) for spot in ends.tolist()], fill=colour, width=2 * SMOOTH)

    def _add_poles(self, draw: ImageDraw.ImageDraw, world: World) -> None:
        for platform in world.district.platforms:
            if platform.kind == "pole":
                at = platform.pose.x, platform.pose.y
                self._dot(draw, at, 4 * SMOOTH, _POLE, (255, 255, 255))
                self._text(draw, at, platform.name.removeprefix("pole_"), _POLE, 10)

    def _dot(
        self, draw: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, colour: tuple[int, ...],
        line: tuple[int, ...] | None = None,
    ) -> None:  # fmt: skip
        x, y = self.area.to_pixels(np.array([at]))[0]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=line)

    def _text(
        self, draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: tuple[int, ...], size: int
    ) -> None:
        x, y = self.area.to_pixels(np.array([at]))[0] + (5 * SMOOTH, -5 * SMOOTH)
        draw.text((x, y), text, colour, _font(size), "ls", stroke_width=SMOOTH, stroke_fill=_WHITE)

    def with_frame(self, frame: Frame, caption: str = "", legend: bool = True) -> Image.Image:
        """Return the picture with a frame on it, in its final size."""
        image = self._image.copy()
        draw = ImageDraw.Draw(image)
        for head in frame.signals:
            if SignalState(head["state"]) in _SIGNALS:
                self._dot(draw, (head["x"], head["y"]), 2.2 * SMOOTH, _SIGNALS[SignalState(head["state"])])
        self._add_actors(draw, frame)
        self._add_events(draw, frame.events, frame.stamp_ns)
        self._add_frame(draw, caption, frame if legend else None)
        return image.resize(self.area.size, Image.Resampling.LANCZOS)

    def _add_actors(self, draw: ImageDraw.ImageDraw, frame: Frame) -> None:
        actors = frame.actors
        vehicles = set(frame.vehicles.values())
        reach = 0.75 * self.area.span
        near = (np.abs(actors["x"] - self.area.x) < reach) & (np.abs(actors["y"] - self.area.y) < reach)
        smallest = 2.0 * SMOOTH / self.area.scale
        for row in actors[near]:
            if row["shape"] in (Shape.PANEL, Shape.SIGN) and row["activity"] == Activity.NONE:
                continue  # still where it belongs: the ground shows it
            colour = CLASSES[int(row["classification"])][0]
            grown = row.copy()
            grown["length"], grown["width"] = max(row["length"], smallest), max(row["width"], smallest)
            corners = self.area.to_pixels(outline(grown))
            down = row["activity"] in _DOWN
            _polygon(draw, corners, _ALARM if down else colour, (255, 255, 255) if down else INK)
            if row["actor_id"] in vehicles:
                _polygon(draw, corners, (0, 190, 200), INK)
            middle, front = corners.mean(axis=0), corners[[0, 3]].mean(axis=0)
            ahead = middle + (front - middle) * (1.0 if row["length"] > 2 else 2.2)
            ink = _WHITE if row["length"] > 2 else colour
            draw.line((*middle.tolist(), *ahead.tolist()), fill=ink, width=SMOOTH)

    def _add_events(self, draw: ImageDraw.ImageDraw, events: Iterable[Event], stamp_ns: int) -> None:
        labels: dict[tuple[int, int], dict[str, int]] = {}  # at one place they stand below each other
        for event in events:
            over = event.end_ns and stamp_ns - event.end_ns > 3_000_000_000
            colour = (150, 110, 110) if over else _ALARM
            x, y = self.area.to_pixels(np.array([(event.x, event.y)]))[0]
            radius = max(2.5 * self.area.scale, 8 * SMOOTH)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2 * SMOOTH)
            rows = labels.setdefault((round(x / radius / 3), round(y / radius / 3)), {})
            name = event.kind.name.lower().replace("_", " ")
            if name not in rows:
                lower = len(rows) * 14 * SMOOTH / self.area.scale
                self._text(draw, (event.x + radius / self.area.scale, event.y - lower), name, colour, 12)
            rows[name] = rows.get(name, 0) + 1

    def _add_frame(self, draw: ImageDraw.ImageDraw, caption: str, frame: Frame | None) -> None:
        """Add caption, scale and legend."""
        (wide, tall), margin = self.area.size, 10 * SMOOTH
        length = next(step for step in (100, 50, 20, 10, 5, 2) if step <= self.area.span / 4)
        x1, y = wide * SMOOTH - margin, tall * SMOOTH - margin
        x0 = x1 - length * self.area.scale
        draw.line((x0, y, x1, y), fill=INK, width=2 * SMOOTH)
        draw.text(((x0 + x1) / 2, y - 3 * SMOOTH), f"{length} m", fill=INK, font=_font(11), anchor="ms")
        if caption:
            draw.text(
                (margin, margin),
                caption,
                fill=INK,
                font=_font(14),
                stroke_width=2 * SMOOTH,
                stroke_fill=(255, 255, 255),
            )
        if frame is None:
            return
        kinds, counts = np.unique(frame.actors["classification"], return_counts=True)
        for line, (kind, count) in enumerate(zip(kinds.tolist(), counts.tolist(), strict=True)):
            colour, name = CLASSES[kind]
            top = tall * SMOOTH - margin - (line + 1) * 15 * SMOOTH
            draw.rectangle((margin, top, margin + 10 * SMOOTH, top + 10 * SMOOTH), fill=colour)
            draw.text((margin + 15 * SMOOTH, top), f"{name} {count}", fill=INK, font=_font(11), stroke_width=SMOOTH,
                      stroke_fill=(255, 255, 255))  # fmt: skip
