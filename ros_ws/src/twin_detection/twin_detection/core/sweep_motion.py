"""Takes a platform's own motion out of a scan: a turn lasts a tenth of a second, in which a vehicle drives metres.

Objects are sought in the scene without that motion, so that none is bent, nor parted where a turn ends and the next
begins; then they are put where the sensor saw them, at their own time, as ``time_offset`` says.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_common.core.own_motion import OwnMotion, compensated
from twin_detection.core.detections import Detections


def as_measured(found: Detections, motion: OwnMotion) -> Detections:
    """Return objects of a compensated scan where the sensor saw them, each at its own time; level frame."""
    shift = np.outer(found.time_offset, motion.velocity)
    still = OwnMotion(np.zeros(3), -motion.yaw_rate, motion.stamp_ns)
    turn = np.zeros((len(found), 3, 3))
    angle = -motion.yaw_rate * found.time_offset
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0], turn[:, 2, 2] = np.sin(angle), 1.0
    turn[:, 0, 1] = -turn[:, 1, 0]
    return replace(
        found, centre=compensated(found.centre - shift, found.time_offset, still), yaw=found.yaw + angle,
        covariance=turn @ found.covariance @ turn.transpose(0, 2, 1),
    )  # fmt: skip
