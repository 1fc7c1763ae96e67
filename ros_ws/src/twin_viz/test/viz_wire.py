"""Just enough protobuf to read back what was encoded: {field: [values]}, nested messages as bytes."""

import struct


def fields(buffer: bytes) -> dict[int, list]:
    found: dict[int, list] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = buffer[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(buffer):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            value = varint()
        elif kind == 1:
            value, at = struct.unpack_from("<d", buffer, at)[0], at + 8
        elif kind == 2:
            size = varint()
            value, at = buffer[at : at + size], at + size
        else:
            assert kind == 5
            value, at = struct.unpack_from("<f", buffer, at)[0], at + 4
        found.setdefault(number, []).append(value)
    return found


def entities(update: bytes) -> dict[str, dict[int, list]]:
    """Entities of a foxglove.SceneUpdate by id; 7 arrows, 8 cubes, 10 cylinders, 11 lines, 12 triangles, 13 texts."""
    parsed = [fields(item) for item in fields(update).get(2, [])]
    return {item[3][0].decode(): item for item in parsed}


def vector(buffer: bytes) -> list[float]:
    """Numbers of a Vector3, Point3 or Color; what is absent is 0."""
    parsed = fields(buffer)
    return [parsed.get(number, [0.0])[0] for number in (1, 2, 3, 4)]
