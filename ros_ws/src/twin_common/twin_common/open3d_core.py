"""Open3D without its viewers.

``import open3d`` also imports its plotting in the browser, with Dash, Plotly and IPython: 3.5 of 4.4 seconds
in every process that casts a ray. Nothing here draws with it, so those parts are left out:

    from twin_common.open3d_core import open3d
"""

from __future__ import annotations

import sys
import types

_VIEWERS = "open3d.visualization"

if "open3d" in sys.modules:
    import open3d
else:
    sys.modules[_VIEWERS] = types.ModuleType(_VIEWERS)
    try:
        import open3d
    finally:
        del sys.modules[_VIEWERS]

__all__ = ["open3d"]
