"""The colour of one point of a page, as it is on the screen."""

import struct
import zlib

from riskgraph.view.style import UNRANKED_COLOUR


def colour_at(page, x, y):
    """Red, green, blue of the pixel under a point given in CSS pixels (of pages at pixel ratio 1)."""
    png = page.screenshot(clip={"x": int(x), "y": int(y), "width": 1, "height": 1})
    at, body = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            body += png[at + 8 : at + 8 + size]
        at += size + 12
    return tuple(zlib.decompress(body)[1:4])  # one row: its filter, which changes nothing here, and one pixel


def far_from(colour, other):
    return max(abs(a - b) for a, b in zip(colour, other, strict=True))


def fill_of(drawing, i):
    """The colour that the mark of a node should have."""
    colour = drawing.colours[i] or UNRANKED_COLOUR
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
