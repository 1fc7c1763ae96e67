"""Compiles loops over arrays, where NumPy's price per call is what a step would mostly consist of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba

#: An array of records or one of them; kernels read the fields as attributes.
Records: TypeAlias = Any
Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function of arrays at its first call and keep the result on disk.

    It is kept beside the source, else in the user's cache or ``NUMBA_CACHE_DIR``; where none of them can be written,
    each process compiles anew. A change of the file is noticed, one of a file it calls is not: kernels call only
    kernels of their own file.
    """
    return _compiled(function)


def any_order_kernel(function: Function) -> Function:
    """Compile a ``kernel`` whose sums are taken in any order, several numbers at once, none of them NaN.

    The last digits depend on the processor. Infinities stay what they are.
    """
    return _compiled(function, fastmath={"reassoc", "nnan", "nsz"})


def _compiled(function: Function, **options: Any) -> Function:
    try:
        return cast(Function, numba.njit(cache=True, error_model="numpy", **options)(function))
    except RuntimeError:
        return cast(Function, numba.njit(error_model="numpy", **options)(function))
