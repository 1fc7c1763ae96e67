"""Velodyne models by the name that parameters and LidarPackets use."""

from __future__ import annotations

#: velodyne-decoder's name of the model, and the product byte of its packets (None: not given).
VELODYNE: dict[str, tuple[str, int | None]] = {
    "HDL-32E": ("HDL32E", 0x21),
    "HDL-64E": ("HDL64E_S3", None),
    "HDL-64E_S1": ("HDL64E_S1", None),
    "HDL-64E_S2": ("HDL64E_S2", None),
    "HDL-64E_S3": ("HDL64E_S3", None),
    "VLP-16": ("VLP16", 0x22),
    "Puck-Hi-Res": ("PuckHiRes", 0x24),
    "VLP-32A": ("VLP32A", None),
    "VLP-32B": ("VLP32B", None),
    "VLP-32C": ("VLP32C", 0x28),
    "VLS-128": ("VLS128", 0xA1),
}
