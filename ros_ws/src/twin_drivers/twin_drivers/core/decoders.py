"""Chooses the decoder of a sensor; only its SDK is imported, which takes about a second."""

from __future__ import annotations

from pathlib import Path

from twin_drivers.core.scan import Decoder, DecoderOptions


def make_decoder(model: str, metadata: str, calibration: Path | None, options: DecoderOptions) -> Decoder:
    """Return the decoder of ``model``, ``velodyne/MODEL`` or ``ouster``, ``ouster/PRODUCT``.

    ``metadata``: JSON text, Ouster only. ``calibration``: file, Velodyne only; None: the maker's.

    Raises:
        ValueError: an unknown model, or metadata or calibration that is not what was expected.

    """
    maker, _, name = model.partition("/")
    if maker == "ouster":
        if not metadata:
            raise ValueError(f"model {model}: no metadata; expected the JSON of the sensor in parameter metadata")
        from twin_drivers.core.ouster import OusterDecoder

        return OusterDecoder(metadata, options)
    if maker == "velodyne":
        from twin_drivers.core.velodyne import VelodyneDecoder

        return VelodyneDecoder(name, calibration, options)
    raise ValueError(f"model {model!r}: no decoder; expected velodyne/MODEL or ouster")
