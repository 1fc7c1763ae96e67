"""Configuration of fusion and merger."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class FusionConfig(Config):
    """Brings the detections of one platform to the map frame."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    platforms: tuple[str, ...] = setting((), doc="all platforms of the district, in order; filled in by the graph")
    max_wait: float = setting(0.2, "s", "how long detections wait for the pose of their moment", low=0.0, high=2.0)
    max_extrapolation: float = setting(
        0.05, "s", "how far beyond the newest pose a moving platform's pose is extended", low=0.0, high=0.5
    )
    position_sigma: float = setting(0.03, "m", "error of the platform's position", low=0.0, high=5.0)
    yaw_sigma: float = setting(0.003, "rad", "error of the platform's heading", low=0.0, high=0.5)
    deskewed: bool = setting(
        False, doc="detections of a moving platform are given where its sensor is at the stamp, not at their own times"
    )
    district: str = setting("", doc="district file, for where the road is; filled in by the graph")
    kerb: float = setting(0.15, "m", "how much higher than the road all other ground is", low=0.0, high=1.0)

    camera_wait: float = setting(
        0.02, "s", "how long a scan waits for a frame that is due by then; 0: never", low=0.0, high=0.2
    )
    camera_offset: float = setting(0.0, "s", "added to the camera's stamps: its clock or delay", low=-1.0, high=1.0)
    camera_memory: float = setting(
        0.5, "s", "how long what a frame says of an object counts, fading", low=0.1, high=3.0
    )
    camera_weight: float = setting(
        0.3, "", "exponent of the camera's likelihood of classes: both sensors err on the same objects",
        low=0.0, high=1.0,
    )  # fmt: skip
    silence: float = setting(
        0.5, "s", "a sensor silent for longer is lost; the other goes on alone", low=0.2, high=10.0
    )
    pixel_sigma: float = setting(1.0, "px", "error of an edge of a box in the image", low=0.1, high=20.0)
    box_sigma: float = setting(0.02, "", "the same as a share of the box", low=0.0, high=0.3)
    camera_angle_sigma: float = setting(0.001, "rad", "error of the camera's roll and pitch", low=0.0, high=0.1)
    gate: float = setting(13.8, "", "squared Mahalanobis distance of a LiDAR's and a camera's object; 13.8 is 99.9%",
                          low=1.0, high=50.0)  # fmt: skip
    sigma_floor: float = setting(0.1, "m", "smallest error that is believed when they are compared", low=0.0, high=1.0)
    min_overlap: float = setting(
        0.25, "", "smallest overlap of their boxes in the image, share of the smaller", low=0.0, high=1.0
    )
    min_agreement: float = setting(0.1, "", "smallest agreement of their classes", low=0.0, high=1.0)
    min_pixels: float = setting(24.0, "px", "less tall objects need not be seen by the camera", low=1.0, high=500.0)
    min_existence: float = setting(
        0.4, "", "objects that only the camera sees are left out if they are less probable", low=0.0, high=1.0
    )
    max_camera_sigma: float = setting(
        2.5, "m", "objects that only the camera sees are left out if their place is less sure; beside a LiDAR riders "
        "above 0.7 m, vehicles above 1 m",
        low=0.1, high=50.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairingConfig(Config):
    """When two platforms are taken to see the same object."""

    sigma_floor: float = setting(0.05, "m", "smallest error of a position that is believed", low=0.001, high=1.0)
    view_bias: float = setting(
        0.25, "", "error of a centre that comes from seeing one side only, as a share of the extent", low=0.0, high=1.0
    )
    gate: float = setting(9.21, "", "squared Mahalanobis distance, 2 degrees of freedom; 9.21 is 99%", low=1.0, high=50)
    margin: float = setting(0.15, "m", "gap between two footprints that may still be one object", low=0.0, high=2.0)
    person_distance: float = setting(
        0.0, "m", "between the centres of two views of a person; 0: persons are left apart, the tracker joins them",
        low=0.0, high=2.0,
    )  # fmt: skip
    min_agreement: float = setting(0.2, "", "smallest agreement of two class distributions, 0..1", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True)
class MergerConfig(PairingConfig):
    """Merges what the platforms of a district see."""

    platforms: tuple[str, ...] = setting((), doc="all platforms of the district, in order; filled in by the graph")
    period: float = setting(0.1, "s", "arrays this far apart are never put together", low=0.01, high=2.0)
    max_wait: float = setting(0.05, "s", "how long the first array of a slot waits for the others", low=0.0, high=1.0)
    silence: float = setting(1.0, "s", "a platform silent for longer is not waited for", low=0.1, high=30.0)
    max_lead: float = setting(0.5, "s", "a stamp this far in the future is refused", low=0.0, high=10.0)


@dataclass(frozen=True, slots=True)
class AlignmentConfig(Config):
    """Notices that the mount of a still LiDAR has moved."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    sensor_height: float = setting(5.0, "m", "of the configured mount; another one has its own reference",
                                   low=0.1, high=50.0)  # fmt: skip
    mount_x: float = setting(0.0, "m", "of the configured mount, too", low=-50.0, high=50.0)
    mount_y: float = setting(0.0, "m", "of the configured mount, too", low=-50.0, high=50.0)
    roll_deg: float = setting(0.0, "deg", "of the configured mount, too", low=-90.0, high=90.0)
    pitch_deg: float = setting(0.0, "deg", "of the configured mount, too", low=-90.0, high=90.0)
    yaw_deg: float = setting(0.0, "deg", "of the configured mount, too", low=-360.0, high=360.0)
    settle: float = setting(20.0, "s", "time after the first scan at which what stands still is learned",
                            low=0.0, high=3600.0)  # fmt: skip
    period: float = setting(5.0, "s", "time between two checks", low=0.5, high=600.0)
    patience: int = setting(3, doc="checks in a row that must find it moved", low=1, high=100)
    max_turn_deg: float = setting(0.2, "deg", "turn that is reported", low=0.02, high=10.0)
    max_shift: float = setting(0.05, "m", "shift that is reported", low=0.01, high=5.0)
    min_share: float = setting(0.5, "", "less of the points on known surfaces than then: covered, or moved far",
                               low=0.05, high=0.95)  # fmt: skip
    points: int = setting(2000, doc="points of a scan that a check looks at", low=200, high=50000)
    reach: float = setting(45.0, "m", "farther points are not looked at", low=5.0, high=200.0)
    renew_every: float = setting(600.0, "s", "time between two renewals of what stands still, where a check agrees",
                                 low=1.0, high=86400.0)  # fmt: skip
    state_folder: str = setting("", doc="folder in which the reference is kept from run to run; empty: it is not")


@dataclass(frozen=True, slots=True)
class CalibrationLimits(Config):
    """When the result of a calibration is refused."""

    max_turn_deg: float = setting(6.0, "deg", "correction that is believed", low=0.1, high=45.0)
    max_shift: float = setting(2.0, "m", "correction that is believed", low=0.01, high=20.0)
    max_turn_sigma_deg: float = setting(0.2, "deg", "standard deviation of the turn, each axis", low=0.001, high=10.0)
    max_shift_sigma: float = setting(0.08, "m", "standard deviation of the shift, each axis", low=0.001, high=5.0)
    max_ground_rms: float = setting(0.04, "m", "residual on the ground", low=0.001, high=1.0)
    max_wall_rms: float = setting(0.12, "m", "residual on walls", low=0.001, high=1.0)
    max_cloud_rms: float = setting(0.07, "m", "residual between two clouds", low=0.001, high=1.0)
    max_box_rms_px: float = setting(6.0, "px", "residual of the edges of boxes", low=0.1, high=50.0)
    max_board_rms_px: float = setting(1.0, "px", "residual of the corners of a chessboard", low=0.01, high=20.0)
    min_walls: int = setting(100, doc="points on walls", low=10, high=100000)
    min_ground: int = setting(1000, doc="points on the ground", low=10, high=100000)
    min_share: float = setting(0.6, "", "share of the points near the ground's height that fit it", low=0.0, high=1.0)
    min_pairs: int = setting(100, doc="pairs of LiDAR and camera objects", low=30, high=100000)
    min_pictures: int = setting(8, doc="pictures of a chessboard", low=3, high=1000)
