"""Parameters of the tracker: the only home of its defaults.

Tuples of ten hold one value per class, in the order of twin_msgs/msg/ObjectClass: unknown, car, truck, bus,
motorcycle, scooter, bicycle, pedestrian, animal, debris.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from twin_common.config import Config, ConfigError, setting

PerClass = tuple[float, ...]
CLASS_COUNT = 10
#: Value of ``piece_margin`` with which nothing is taken for a piece of a vehicle.
NO_PIECES = -10.0


@dataclass(frozen=True, slots=True)
class TrackerConfig(Config):
    """Parameters of the tracker node."""

    frame: str = setting("map", "", "frame the objects must be in; others are refused")
    key: int = setting(
        0, "", "secret of which the pseudonyms' key of each UTC day is made; 0: a new one at every start; "
        "the graph sets 1 for recordings and simulations", low=0, high=2**53 - 1,
    )  # fmt: skip
    platforms: tuple[str, ...] = setting((), doc="all platforms of the district, in order; filled in by the graph")
    district: str = setting("", doc="path of the district's YAML; filled in by the graph; empty: no map, no poles")

    acceleration_density: PerClass = setting(
        (0.5, 1.0, 0.7, 0.7, 1.2, 0.25, 0.15, 0.08, 1.0, 0.2), "m^2/s^3",
        "spectral density of the acceleration noise, by class", low=1e-3, high=100.0,
    )  # fmt: skip
    sideways_share: PerClass = setting(
        (0.5, 0.2, 0.2, 0.2, 0.3, 0.5, 0.4, 1.0, 1.0, 1.0), "",
        "share of that noise across the direction of motion, turns apart, by class", low=0.01, high=1.0,
    )  # fmt: skip
    turn_density: float = setting(0.05, "rad^2/s^3", "spectral density of the turn rate's noise", low=1e-4, high=10.0)
    standing_density: float = setting(
        0.0005, "m^2/s", "random walk of the centre of a standing object", low=0.0, high=1.0
    )
    birth_speed_sigma: PerClass = setting(
        (5.0, 10.0, 8.0, 8.0, 10.0, 4.0, 5.0, 1.5, 3.0, 1.0), "m/s",
        "spread of the speed of a new object, by class", low=0.1, high=60.0,
    )  # fmt: skip
    start_speed_sigma: float = setting(
        0.3, "m/s", "spread of the speed at which standing objects start", low=0.01, high=5.0
    )
    turn_rate_sigma: float = setting(0.4, "rad/s", "spread of the turn rate at which a turn starts", low=0.01, high=3.0)
    stop_rate: float = setting(0.05, "1/s", "how often a moving object comes to a stand", low=1e-3, high=10.0)
    start_rate: float = setting(0.05, "1/s", "how often a standing object starts", low=1e-3, high=10.0)
    turn_begin_rate: float = setting(
        0.3, "1/s", "how often an object going straight begins to turn", low=1e-3, high=10.0
    )
    turn_end_rate: float = setting(0.2, "1/s", "how often a turning object goes straight again", low=1e-3, high=10.0)

    min_position_sigma: float = setting(0.03, "m", "added to every measured covariance, per axis", low=0.0, high=2.0)
    default_position_sigma: PerClass = setting(
        (0.4, 0.3, 0.5, 0.5, 0.2, 0.15, 0.2, 0.15, 0.3, 0.3), "m",
        "where a detection's covariance is all zero (not known), by class", low=0.01, high=5.0,
    )  # fmt: skip
    velocity_sigma: float = setting(0.7, "m/s", "error of a measured velocity, per axis", low=0.05, high=10.0)
    box_yaw_sigma: PerClass = setting(
        (1.0, 0.1, 0.1, 0.1, 0.3, 0.7, 0.3, 1.5, 1.5, 1.5), "rad",
        "how far a box's yaw is from the heading, on top of its own variance, by class", low=0.01, high=3.0,
    )  # fmt: skip
    heading_density: PerClass = setting(
        (0.3, 0.02, 0.01, 0.01, 0.05, 0.1, 0.05, 0.5, 0.5, 0.05), "rad^2/s",
        "random walk of the heading beyond the turn rate, by class", low=1e-4, high=10.0,
    )  # fmt: skip
    front_memory: PerClass = setting(
        (0.5, 6.0, 6.0, 6.0, 2.0, 0.5, 1.0, 0.3, 0.5, 0.5), "m",
        "distance an object must go backwards before its front is taken to be there, by class", low=0.0, high=50.0,
    )  # fmt: skip

    detection_probability: float = setting(
        0.9, "", "probability that a visible object is detected within scan_period", low=0.05, high=0.999
    )
    detection_memory: float = setting(
        1000.0, "s", "time over which each track's own rate of detection is learned", low=0.1, high=1e6
    )
    scan_period: float = setting(0.1, "s", "time to which detection_probability belongs", low=0.01, high=2.0)
    clutter_density: float = setting(1e-3, "1/m^2", "false detections per array and area", low=1e-7, high=1.0)
    birth_density: float = setting(1e-5, "1/m^2", "new objects per array and area", low=1e-9, high=1.0)
    hide_rate: float = setting(0.3, "1/s", "how often a visible object becomes hidden", low=1e-3, high=10.0)
    reveal_rate: float = setting(1.0, "1/s", "how often a hidden object becomes visible", low=1e-3, high=10.0)
    survival_time: float = setting(30.0, "s", "mean time an object stays in the district's view", low=1.0, high=1e5)

    gate_probability: float = setting(0.999, "", "share of true measurements inside the gate", low=0.5, high=0.99999)
    min_gate: float = setting(
        0.5, "m", "a measurement this near is inside the gate, however sure the prediction", low=0.0, high=5.0
    )
    max_gate: float = setting(6.0, "m", "largest distance between a prediction and its measurement", low=0.5, high=50.0)
    leap: float = setting(
        1.0, "m", "a detection this near, or inside the box, of a confirmed track that has none is its own; 0: never",
        low=0.0, high=5.0,
    )  # fmt: skip
    high_existence: float = setting(
        0.4, "", "detections from here on are associated first and may begin tracks", low=0.0, high=1.0
    )
    low_existence: float = setting(0.1, "", "detections below are not used", low=0.0, high=1.0)
    min_class_affinity: float = setting(
        0.05, "", "detections of a less compatible class are not associated", low=0.0, high=1.0
    )

    confirm_existence: float = setting(0.5, "", "existence from which a track is confirmed", low=0.05, high=0.999)
    delete_existence: float = setting(
        5e-4, "", "probability that something lasts there below which a track ends", low=1e-9, high=0.5
    )
    score_memory: float = setting(
        1.0, "s", "time over which the detections' existence is averaged", low=0.05, high=60.0
    )
    coast_after: float = setting(0.25, "s", "time without a measurement before a track coasts", low=0.0, high=5.0)
    max_coast: float = setting(2.0, "s", "time without a measurement before a confirmed track ends", low=0.1, high=30.0)
    max_coast_tentative: float = setting(
        0.35, "s", "time without a measurement before a tentative track ends", low=0.05, high=30.0
    )

    class_memory: float = setting(2.0, "s", "time over which class evidence is forgotten", low=0.1, high=600.0)
    usual_top_speed: PerClass = setting(
        (100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 2.5, 8.0, 100.0), "m/s",
        "who has gone faster for a while, unlike a person, is the less of this class: e times per 0.4 m/s",
        low=0.1, high=1000.0,
    )  # fmt: skip
    size_memory: float = setting(
        20.0, "", "well seen detections after which the size adapts no slower", low=1.0, high=1000.0
    )
    size_expectile: float = setting(
        0.8, "", "above 0.5 the size leans towards the larger measurements, as partial views are too small",
        low=0.5, high=0.99,
    )  # fmt: skip
    acceleration_memory: float = setting(0.4, "s", "time over which the speed's change is averaged", low=0.05, high=5.0)
    piece_margin: float = setting(
        0.3,
        "m",
        "no person or rider begins in a vehicle, nor so near to one unless seen apart from it; -10: all may",
        low=NO_PIECES,
        high=2.0,
    )
    platform_memory: float = setting(1.0, "s", "how long a platform counts as seeing a track", low=0.1, high=30.0)

    person_range: float = setting(
        40.0, "m", "how far a pole sees persons; within 80 % of it one that is not hidden must be seen",
        low=5.0, high=300.0,
    )  # fmt: skip
    vehicle_range: float = setting(60.0, "m", "how far a pole sees vehicles", low=5.0, high=300.0)
    max_clock_offset: float = setting(
        0.2, "s", "largest correction of a platform's clock; 0: clocks are believed", low=0.0, high=1.0
    )
    clock_sigma: float = setting(0.03, "s", "how far a platform's clock may be off", low=1e-4, high=1.0)
    clock_memory: float = setting(60.0, "s", "time over which clock offsets are forgotten", low=1.0, high=1e5)
    handover_reach: float = setting(
        10.0, "s", "how long after its last measurement a lost object may come back under its id; 0: never",
        low=0.0, high=60.0,
    )  # fmt: skip
    handover_group_reach: float = setting(
        30.0, "s", "the same for one that was lost beside another one, while that one is followed", low=0.0, high=600.0
    )
    handover_young: float = setting(1.0, "s", "how long a new track may be taken for a lost one", low=0.1, high=10.0)
    handover_wait: float = setting(
        0.4, "s", "how long a new track that may be a lost one stays tentative until that is decided", low=0.0, high=2.0
    )
    handover_settle: float = setting(3.0, "s", "how long that can be undone", low=0.0, high=30.0)
    handover_least: float = setting(0.4, "", "least probability of a handover", low=0.05, high=0.999)
    return_rate: float = setting(0.3, "1/s", "how often lost objects come back", low=1e-3, high=10.0)
    stranger_density: float = setting(
        3e-4, "1/(m^2 s)", "objects that appear and have not been seen before", low=1e-8, high=1.0
    )

    max_late: float = setting(0.5, "s", "older arrays are counted as late and dropped", low=0.0, high=5.0)
    reset_backwards: float = setting(
        3.0, "s", "an older stamp means that time has been set back: start anew", low=0.1, high=1e6
    )
    max_time_offset: float = setting(
        0.3, "s", "largest offset of an object's measurement from the stamp", low=0.0, high=2.0
    )

    def __post_init__(self) -> None:
        """Check lengths and the order of thresholds."""
        Config.__post_init__(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "PerClass" and len(value) != CLASS_COUNT:
                raise ConfigError(
                    f"TrackerConfig.{field.name}: {len(value)} values; expected {CLASS_COUNT}, one per class"
                )
        if self.low_existence > self.high_existence:
            raise ConfigError(
                f"TrackerConfig.low_existence: {self.low_existence} is above high_existence {self.high_existence}"
            )
        if self.reset_backwards < self.max_late:
            raise ConfigError(
                f"TrackerConfig.reset_backwards: {self.reset_backwards} is below max_late {self.max_late}"
            )
