"""The colour of one point of a page, as it is on the screen."""

import struct
import zlib


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


def hex_of(colour):
    return "#" + "".join(f"{part:02x}" for part in colour)


def far_from(colour, other):
    return max(abs(a - b) for a, b in zip(colour, other, strict=True))


def rgb(text):
    return tuple(int(text[k : k + 2], 16) for k in (1, 3, 5))
