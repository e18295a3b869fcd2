"""Eight numbers side by side: a type for compiled loops that carry eight columns of a table through one sparse row.

numba leaves eight scalar sums scalar (LLVM's vectoriser for straight code is switched off in it), and a sparse row that
is added up in scalars runs at a third of the speed. So the vector is spelled out: ``Lanes`` is LLVM's
``<8 x double>``, which becomes one, two or four registers as the processor has them. A product is rounded before it is
added, as in NumPy and SciPy, so that the same sum in the same order gives the same bits.

Tables are C-ordered float64 arrays of shape (n, 8).
"""

# Loaded only by the compiled kernels: numba takes half a second.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

__all__ = ["WIDTH", "alike", "apart", "lanes_of", "larger", "plus", "put", "smaller"]

WIDTH = 8
_WORD = ir.IntType(8 * np.dtype(np.intp).itemsize)
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_UNSET = ir.Constant(_VECTOR, ir.Undefined)
_FIRST = ir.Constant(ir.IntType(32), 0)
_ALL_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)


class LanesType(types.Type):
    """numba's name for eight float64 in registers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _spelled_out(step: Callable[..., Any]) -> Callable[..., Any]:
    """Give a step of compiled code that is called with other arguments than it is written with."""
    compiled: Callable[..., Any] = intrinsic(step)
    return compiled


def _row(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Address of row i of a table, both the first two arguments."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    i = context.cast(builder, args[1], signature.args[1], types.intp)
    start = builder.mul(i, ir.Constant(_WORD, WIDTH))
    return builder.bitcast(builder.gep(data, [start]), _VECTOR.as_pointer())


def _spread(builder: Any, x: Any) -> Any:
    return builder.shuffle_vector(builder.insert_element(_UNSET, x, _FIRST), _UNSET, _ALL_FIRST)


@_spelled_out
def lanes_of(typing: Any, table: Any, i: Any) -> Any:
    """Read row i of a table."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = builder.load(_row(context, builder, signature, args))
        loaded.align = 8  # NumPy promises no more
        return loaded

    return LANES(table, i), code


@_spelled_out
def put(typing: Any, table: Any, i: Any, lanes: Any) -> Any:
    """Write row i of a table."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _row(context, builder, signature, args)).align = 8
        return context.get_dummy_value()

    return types.void(table, i, lanes), code


@_spelled_out
def alike(typing: Any, x: Any) -> Any:
    """Repeat one number in every lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return LANES(types.float64), code


@_spelled_out
def plus(typing: Any, lanes: Any, factor: Any, more: Any) -> Any:
    """Give lanes + factor · more, the product rounded first."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(args[0], builder.fmul(_spread(builder, args[1]), args[2]))

    return LANES(LANES, types.float64, LANES), code


@_spelled_out
def smaller(typing: Any, one: Any, other: Any) -> Any:
    """Lane by lane, the smaller of two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return LANES(LANES, LANES), code


@_spelled_out
def larger(typing: Any, one: Any, other: Any) -> Any:
    """Lane by lane, the larger of two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return LANES(LANES, LANES), code


@_spelled_out
def apart(typing: Any, one: Any, other: Any) -> Any:
    """Lane by lane, the distance of two."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        there, back = builder.fsub(args[0], args[1]), builder.fsub(args[1], args[0])
        return builder.select(builder.fcmp_ordered(">", there, back), there, back)

    return LANES(LANES, LANES), code
