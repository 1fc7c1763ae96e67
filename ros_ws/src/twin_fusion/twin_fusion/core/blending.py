"""One object out of two views of it."""

from __future__ import annotations

import numpy as np

from twin_common.core import geometry
from twin_fusion.core import classes
from twin_fusion.core.pairing import CAMERA_ONLY, drift, mean_velocity

CAMERA = 2  # bit of DetectedObject.sensors
_LEAST_PROBABILITY = 0.01


def blend(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, sigma_floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the objects (P,) that pairs of views give, and when they were measured (P,), seconds.

    Positions are fused by split covariance intersection: the stated errors are each platform's own, and up to
    ``sigma_floor`` metres more may be common to both views; that part is in neither the views' covariances nor the
    result's. Where the velocity is known the older view is brought to the newer one's time; elsewhere the result holds
    for the weighted mean of both times, which is exact for any steady motion.

    ``first``, ``second``: (P,) with the fields of twin_msgs/DetectedObject, same frame.
    """
    blended = first.copy()
    elapsed = second_times - first_times
    velocity, known = mean_velocity(first, second)
    yaw, yaw_variance, turned = _heading(first, second)
    blended["yaw"], blended["yaw_variance"] = yaw, yaw_variance
    sizes = [_size_along(first, turned[:, 0]), _size_along(second, turned[:, 1])]
    length, width, blended["height"] = _size(first, second, sizes)
    blended["length"], blended["width"] = length, width

    newest = np.maximum(first_times, second_times)
    unseen = drift(first, second, elapsed, known)
    centres, spreads = [], []
    for view, times, size in zip((first, second), (first_times, second_times), sizes, strict=True):
        centre = np.stack([view["x"], view["y"], view["z"]], axis=1)
        centre[:, :2] += velocity * (newest - times)[:, None]
        centres.append(centre)
        missing = np.maximum(np.stack([length, width], axis=1) - size, 0.0)
        spreads.append(_view_covariance(view, yaw, missing))
    position, covariance, share = split_covariance_intersection(
        centres[0], centres[1], spreads[0], spreads[1], sigma_floor
    )
    blended["x"], blended["y"], blended["z"] = position.T
    covariance[:, :2, :2] += np.square(unseen * share * (1 - share))[:, None, None] * np.eye(2)
    blended["position_covariance"] = covariance.reshape(-1, 9)
    times = np.where(known, newest, share * first_times + (1 - share) * second_times)

    blended["velocity_x"], blended["velocity_y"] = np.where(known[:, None], velocity, np.nan).T
    blended["class_probability"] = class_product(first["class_probability"], second["class_probability"])
    blended["classification"] = np.argmax(blended["class_probability"], axis=1)
    blended["existence"] = 1 - (1 - first["existence"]) * (1 - second["existence"])
    blended["point_count"] = first["point_count"] + second["point_count"]
    blended["platforms"] = first["platforms"] | second["platforms"]
    blended["sensors"] = first["sensors"] | second["sensors"]
    blended["posture"], blended["colour"] = _posture(first, second), _colour(first, second)
    return blended, times


def split_covariance_intersection(
    first: np.ndarray, second: np.ndarray, first_own: np.ndarray, second_own: np.ndarray, common_sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fuse pairs of estimates whose errors are independent but for a part that may be correlated in an unknown way.

    Julier & Uhlmann, "General decentralized data fusion with covariance intersection" (2001), section 12.4, with the
    weight of Niehsen 2002 (inverse traces) instead of a search for it.

    Args:
        first: (P, D); likewise ``second``.
        second: see first.
        first_own: covariances (P, D, D) of the independent parts; likewise ``second_own``.
        second_own: see first_own.
        common_sigma: of the part that may be common, every axis; above 0.

    Returns:
        estimates (P, D), covariances (P, D, D) of their independent parts, and the mean share of the first in x and y
        (P,), 0..1.

    """
    identity = np.eye(first.shape[1])
    traces = [np.trace(own + common_sigma**2 * identity, axis1=1, axis2=2) for own in (first_own, second_own)]
    weight = (traces[1] / (traces[0] + traces[1]))[:, None, None]
    first_information = np.linalg.inv(first_own + common_sigma**2 / weight * identity)
    second_information = np.linalg.inv(second_own + common_sigma**2 / (1 - weight) * identity)
    gain = np.linalg.solve(first_information + second_information, first_information)
    keep = identity - gain
    fused = second + np.einsum("pij,pj->pi", gain, first - second)
    own = gain @ first_own @ gain.transpose(0, 2, 1) + keep @ second_own @ keep.transpose(0, 2, 1)
    share = np.clip(0.5 * (gain[:, 0, 0] + gain[:, 1, 1]), 0.0, 1.0)
    return fused, own, share


def class_product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the classes of pairs (P, 10) by Bayes' rule with a flat prior.

    What a view calls unknown is ignorance: it says nothing against what the other sees. No class is
    ruled out by one view alone.
    """
    ignorance = [view[:, classes.UNKNOWN].astype(float) for view in (first, second)]
    unknown = ignorance[0] * ignorance[1]
    likelihood = [
        np.maximum(view[:, 1:].astype(float) + share[:, None] / (classes.COUNT - 1), _LEAST_PROBABILITY)
        for view, share in zip((first, second), ignorance, strict=True)
    ]
    product = likelihood[0] * likelihood[1]
    product *= ((1 - unknown) / product.sum(axis=1))[:, None]
    return np.concatenate([unknown[:, None], product], axis=1)


def _heading(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heading (P,), its variance (P,), and by how much each view's box lies across it (P, 2), bool.

    The surer view says which way is forward; the other one, turned by quarters to lie closest, refines it.
    """
    variances = np.stack([first["yaw_variance"], second["yaw_variance"]], axis=1).astype(float) + 1e-4
    surer_is_second = variances[:, 1] < variances[:, 0]
    surer = np.where(surer_is_second, second["yaw"], first["yaw"]).astype(float)
    other = np.where(surer_is_second, first["yaw"], second["yaw"])
    difference = geometry.wrap(other - surer)
    quarters = np.round(difference / (np.pi / 2))
    low, high = variances.min(axis=1), variances.max(axis=1)
    weight = low / (low + high)  # the weight of the other view
    yaw = geometry.wrap(surer + weight * (difference - quarters * np.pi / 2))
    variance = 1 / ((1 - weight) / low + weight / high)
    across = np.mod(quarters, 2) == 1
    turned = np.stack([across & surer_is_second, across & ~surer_is_second], axis=1)
    return yaw, variance, turned


def _size_along(view: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return a view's extents along and across the common heading, (P, 2) metres."""
    size = np.stack([view["length"], view["width"]], axis=1).astype(float)
    return np.where(across[:, None], size[:, ::-1], size)


def _size(first: np.ndarray, second: np.ndarray, sizes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return length, width and height of pairs (P,): the larger; what a LiDAR measured before what a camera guessed."""
    blind = [view["sensors"] == CAMERA_ONLY for view in (first, second)]
    only_first, only_second = blind[1] & ~blind[0], blind[0] & ~blind[1]
    views = [
        np.concatenate([size, view["height"][:, None]], axis=1)
        for size, view in zip(sizes, (first, second), strict=True)
    ]
    chosen = np.where(only_first[:, None], views[0], np.maximum(views[0], views[1]))
    length, width, height = np.where(only_second[:, None], views[1], chosen).T
    return length, width, height


def _posture(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the posture of pairs (P,): that of the view with a camera, else with more points; known before unknown."""
    with_camera = [(view["sensors"] & CAMERA).astype(int) for view in (first, second)]
    second_first = (with_camera[1] > with_camera[0]) | (
        (with_camera[0] == with_camera[1]) & (second["point_count"] > first["point_count"])
    )
    better = np.where(second_first, second["posture"], first["posture"])
    other = np.where(second_first, first["posture"], second["posture"])
    return np.asarray(np.where(better == 0, other, better))


def _colour(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the shares of colours of pairs (P, 8), 1/255: the mean of the views that know them."""
    known = np.stack([view["colour"].any(axis=1) for view in (first, second)])
    total = first["colour"].astype(int) + second["colour"].astype(int)
    return np.asarray(total // np.maximum(known.sum(axis=0), 1)[:, None], np.uint8)


def _view_covariance(view: np.ndarray, yaw: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return the error of a view's centre (P, 3, 3), where ``missing`` (P, 2) metres of the object were not seen."""
    covariance = view["position_covariance"].astype(float).reshape(-1, 3, 3).copy()
    axis = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(yaw))], axis=1)
    normal = np.stack([-axis[:, 1], axis[:, 0], axis[:, 2]], axis=1)
    for direction, extent in ((axis, missing[:, 0]), (normal, missing[:, 1])):
        covariance += np.square(extent / 2)[:, None, None] * direction[:, :, None] * direction[:, None, :]
    return covariance
