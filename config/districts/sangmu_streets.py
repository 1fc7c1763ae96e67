"""The streets of Sangmu: where they run, how wide they are, and the SUMO network that netconvert makes of them.

Map frame, metres; right-hand traffic. Streets 1 to 5 run north, the south street, the avenue and the north street east.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from twin_sim.netconvert import netconvert

BOUNDS = (-300.0, -200.0, 300.0, 200.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """One direction of a street, from the middle outwards: driving, cycle and parking lanes, verge, sidewalk; metres.

    The verge lies behind the kerb and bears trees, lamps and poles; nobody walks there.
    """

    lanes: int
    lane: float
    cycle: float
    parking: float
    verge: float
    sidewalk: float
    speed: float
    priority: int

    @property
    def kerb(self) -> float:
        """From the middle of the street to the kerb."""
        return self.lanes * self.lane + self.cycle + self.parking

    @property
    def half(self) -> float:
        """From the middle of the street to the building line."""
        return self.kerb + self.verge + self.sidewalk


AVENUE = Profile(3, 3.25, 1.6, 0.0, 1.4, 4.0, 50 / 3.6, 9)
STREET = Profile(2, 3.2, 0.0, 0.0, 1.2, 3.4, 40 / 3.6, 7)
BACK = Profile(1, 3.3, 0.0, 2.2, 0.0, 3.2, 30 / 3.6, 4)

#: Streets that run east, each a row of nodes; ``w`` and ``e`` are where they leave the district.
EAST = {"south": STREET, "avenue": AVENUE, "north": BACK}
#: Streets that run north, each a column of nodes; ``s`` and ``n`` are where they leave it.
NORTH = {"street1": BACK, "street2": BACK, "street3": STREET, "street4": BACK, "street5": STREET}
ROWS, COLUMNS = ("s", *EAST, "n"), ("w", *NORTH, "e")
#: x of each column at each row from south to north, and y of each row at each column from west to east.
X = {
    "w": (-300.0, -300.0, -300.0, -300.0, -300.0),
    "street1": (-208.0, -205.0, -201.0, -197.0, -192.0),
    "street2": (-100.0, -100.0, -100.0, -100.0, -100.0),
    "street3": (0.0, 0.0, 0.0, 0.0, 0.0),
    "street4": (102.0, 105.0, 110.0, 115.0, 120.0),
    "street5": (213.0, 212.0, 211.0, 210.0, 209.0),
    "e": (300.0, 300.0, 300.0, 300.0, 300.0),
}
Y = {
    "s": (-200.0,) * 7,
    "south": (-116.0, -111.0, -105.0, -105.0, -105.0, -108.0, -112.0),
    "avenue": (0.0,) * 7,
    "north": (96.0, 98.0, 100.0, 100.0, 104.0, 109.0, 113.0),
    "n": (200.0,) * 7,
}
SIGNALS = {
    *((column, "avenue") for column in NORTH),
    *((column, row) for column in ("street3", "street5") for row in ("south", "north")),
}


def node(column: str, row: str) -> str:
    """Return the name of a node."""
    return f"{column}_{row}"


def position(column: str, row: str) -> tuple[float, float]:
    """Return where a node is."""
    return X[column][ROWS.index(row)], Y[row][COLUMNS.index(column)]


def nodes() -> list[tuple[str, str]]:
    """Return (column, row) of every node: crossings, and where streets leave the district."""
    corners = {(column, row) for column in ("w", "e") for row in ("s", "n")}
    everything = [(column, row) for row in ROWS for column in COLUMNS]
    return [item for item in everything if item not in corners]


@dataclass(frozen=True, slots=True)
class Edge:
    """One direction of a street between two neighbouring nodes, each (column, row)."""

    name: str
    start: tuple[str, str]
    end: tuple[str, str]
    profile: Profile


def edges() -> list[Edge]:
    """Return every edge; ``avenue_street1_street2`` runs along the avenue, ``street1_avenue_north`` along street 1."""
    found = []
    for row, profile in EAST.items():
        for a, b in itertools.pairwise(COLUMNS):
            found += [Edge(f"{row}_{p}_{q}", (p, row), (q, row), profile) for p, q in ((a, b), (b, a))]
    for column, profile in NORTH.items():
        for a, b in itertools.pairwise(ROWS):
            found += [Edge(f"{column}_{p}_{q}", (column, p), (column, q), profile) for p, q in ((a, b), (b, a))]
    return found


def _lanes(profile: Profile) -> list[str]:
    """Return the lanes of an edge, from the sidewalk inwards."""
    parts = [('allow="pedestrian"', profile.sidewalk)]
    if profile.verge:
        parts.append(('disallow="all" type="verge"', profile.verge))
    if profile.parking:
        parts.append(('disallow="all" type="parking"', profile.parking))
    if profile.cycle:
        parts.append(('allow="bicycle"', profile.cycle))
    parts += [('disallow="pedestrian tram rail"', profile.lane)] * profile.lanes
    return [f'<lane index="{i}" width="{width}" {users}/>' for i, (users, width) in enumerate(parts)]


def _node_rows() -> list[str]:
    rows = []
    for column, row in nodes():
        x, y = position(column, row)
        kind = "traffic_light" if (column, row) in SIGNALS else "priority"
        rows.append(f'<node id="{node(column, row)}" x="{x}" y="{y}" type="{kind}" radius="5"/>')
    return rows


def _edge_rows() -> list[str]:
    rows = []
    for edge in edges():
        lanes = _lanes(edge.profile)
        head = f"<edge id={quoteattr(edge.name)} from={quoteattr(node(*edge.start))} to={quoteattr(node(*edge.end))}"
        rows.append(
            f'{head} numLanes="{len(lanes)}" speed="{edge.profile.speed:.2f}" priority="{edge.profile.priority}">'
            + "".join(lanes) + "</edge>"
        )  # fmt: skip
    return rows


def _crossing_rows() -> list[str]:
    """Return a crosswalk over every arm of every crossing, wide on the avenue."""
    rows = []
    for edge in edges():
        if edge.end[0] in NORTH and edge.end[1] in EAST:
            back = edge.name.replace(f"_{edge.start[0]}_{edge.end[0]}", f"_{edge.end[0]}_{edge.start[0]}")
            if edge.start[0] == edge.end[0]:
                back = edge.name.replace(f"_{edge.start[1]}_{edge.end[1]}", f"_{edge.end[1]}_{edge.start[1]}")
            width = 6.0 if "avenue" in edge.end and edge.profile is not BACK else 4.0
            rows.append(
                f'<crossing node="{node(*edge.end)}" edges="{edge.name} {back}" priority="true" width="{width}"/>'
            )
    return rows


def write_network(target: Path) -> None:
    """Make the SUMO network with netconvert; its coordinates are those of the map frame.

    Raises:
        ConfigError: netconvert refuses the description.

    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = {
            "nod": ("nodes", _node_rows()),
            "edg": ("edges", _edge_rows()),
            "con": ("connections", _crossing_rows()),
        }
        for ending, (tag, rows) in parts.items():
            (folder / f"net.{ending}.xml").write_text(f"<{tag}>\n" + "\n".join(rows) + f"\n</{tag}>\n")
        arguments = (
            "-n", "net.nod.xml", "-e", "net.edg.xml", "-x", "net.con.xml",
            "--no-turnarounds", "true", "--offset.disable-normalization", "true", "--walkingareas", "true",
            "--junctions.corner-detail", "5", "--tls.crossing-clearance.time", "6", "--tls.crossing-min.time", "6",
            "--tls.cycle.time", "90", "--default.junctions.radius", "5", "--junctions.internal-link-detail", "8",
            "--check-lane-foes.all", "true", "--rectangular-lane-cut", "true",
        )  # fmt: skip
        for warning in netconvert(arguments, folder, target):
            print(warning)
