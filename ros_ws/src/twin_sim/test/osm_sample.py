"""A small OpenStreetMap extract for tests, written in metres: streets, a courtyard, odd tags, missing nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

LATITUDE, LONGITUDE = 52.5, 13.4
_NORTH = 111_267.0  # m a degree at this latitude (WGS84)
_EAST = 67_909.0

Point = tuple[float, float]


@dataclass
class Writer:
    """Collects elements; places are metres from the middle."""

    rows: list[str] = field(default_factory=list)
    count: int = 0
    known: dict[Point, int] = field(default_factory=dict)

    def node(self, place: Point, **tags: str) -> int:
        """Add a node once per place."""
        if place not in self.known:
            self.count += 1
            self.known[place] = self.count
            latitude, longitude = LATITUDE + place[1] / _NORTH, LONGITUDE + place[0] / _EAST
            self.rows.append(f'<node id="{self.count}" lat="{latitude:.8f}" lon="{longitude:.8f}">{_tags(tags)}</node>')
        return self.known[place]

    def way(self, places: list[Point], missing: int = 0, **tags: str) -> int:
        """Add a way; ``missing`` references to nodes that are not in the file follow its first node."""
        refs = [self.node(place) for place in places]
        refs[1:1] = [900_000 + i for i in range(missing)]
        self.count += 1
        body = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        self.rows.append(f'<way id="{self.count}">{body}{_tags(tags)}</way>')
        return self.count

    def relation(self, members: list[tuple[int, str]], **tags: str) -> None:
        """Add a multipolygon."""
        self.count += 1
        body = "".join(f'<member type="way" ref="{ref}" role="{role}"/>' for ref, role in members)
        self.rows.append(f'<relation id="{self.count}">{body}{_tags({"type": "multipolygon"} | tags)}</relation>')

    def text(self, bounds: float | None = 160.0) -> str:
        """Return the file."""
        head = ""
        if bounds is not None:
            south, north = LATITUDE - bounds / _NORTH, LATITUDE + bounds / _NORTH
            west, east = LONGITUDE - bounds / _EAST, LONGITUDE + bounds / _EAST
            head = f'<bounds minlat="{south:.8f}" minlon="{west:.8f}" maxlat="{north:.8f}" maxlon="{east:.8f}"/>'
        return f'<?xml version="1.0"?>\n<osm version="0.6">{head}\n' + "\n".join(self.rows) + "\n</osm>\n"


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key.replace('__', ':'))} v={quoteattr(value)}/>" for key, value in tags.items())


def square(x: float, y: float, length: float, width: float) -> list[Point]:
    """Return a closed rectangle about a middle."""
    a, b = length / 2, width / 2
    corners = [(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]
    return [*corners, corners[0]]


def sample() -> str:
    """Return the extract."""
    out = Writer()
    out.node((0.0, 0.0), highway="traffic_signals")
    for y, kind in ((-100.0, "residential"), (0.0, "primary"), (100.0, "residential")):
        ways = [(x, y) for x in (-150.0, -100.0, 0.0, 100.0, 150.0)]
        out.way(
            ways, highway=kind, name=f"Street {y:g}", lanes="2;3" if y < 0 else "4" if y == 0 else "2", maxspeed="walk?"
        )
    for x, kind in ((-100.0, "tertiary"), (0.0, "secondary"), (100.0, "living_street")):
        out.way([(x, y) for y in (-150.0, -100.0, 0.0, 100.0, 150.0)], missing=2, highway=kind, lanes="2")
    out.way([(-90.0, 10.0), (-10.0, 90.0)], highway="footway")
    out.way(square(-50, 50, 60, 50), building="yes", building__levels="5", name="Long house")
    out.way(square(-50, -50, 30, 30), building="yes", height="12.5 m")
    out.way(square(-20, -70, 14, 12), building="yes", height="40 ft")
    out.way(square(30, -30, 20, 24), missing=1, building="yes", height="quite tall", building__levels="about 3")
    out.way(square(70, -75, 20, 20), building="construction")
    out.way([(10.0, -80.0), (20.0, -80.0)], building="yes")  # encloses nothing
    out.way(square(60, 99, 10, 12), building="yes")  # stands in the road: what is left of it stays
    outer, inner = out.way(square(50, 50, 70, 60)), out.way(square(50, 50, 30, 20))
    out.relation([(outer, "outer"), (inner, "inner")], building="yes", building__levels="6", name="Court & yard")
    out.way(square(-50, -14, 46, 6), highway="pedestrian", area="yes", name="Small square")
    out.way(square(-50, -80, 30, 14), landuse="construction")
    out.way([(-140.0, 14.0), (-110.0, 14.0)], natural="tree_row")
    for i in range(5):
        out.node((20.0 + 12 * i, 15.0 + 0.1 * i), natural="tree")
    out.node((40.0, 0.5), natural="tree")  # in the middle of the road
    out.node((-20.0, 14.0), highway="street_lamp")
    out.rows.append('<node id="800001" lat="north" lon="13.4"/>')
    return out.text()


def distance_m(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """Return metres between two places close to the sample's middle."""
    return math.hypot((latitude_a - latitude_b) * _NORTH, (longitude_a - longitude_b) * _EAST)
