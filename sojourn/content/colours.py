"""Colours as CSS writes them, and how well one is read on another (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re

CONTRAST = 4.5  # of texts below 18pt (24 px), or 14pt (18.66 px) where they are bold; 3 above
CONTRAST_LARGE = 3.0
Colour = tuple[int, int, int]
_HEX = re.compile(r"^#([0-9a-f]{3}|[0-9a-f]{6})$", re.IGNORECASE)
_RGB = re.compile(r"^rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*(1|1\.0+|100%)\s*)?\)$", re.IGNORECASE)
_NAMED: dict[str, Colour] = {
    "black": (0, 0, 0), "white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255),
    "gray": (128, 128, 128), "grey": (128, 128, 128), "silver": (192, 192, 192), "maroon": (128, 0, 0), "yellow": (255, 255, 0),
    "olive": (128, 128, 0), "lime": (0, 255, 0), "aqua": (0, 255, 255), "teal": (0, 128, 128), "navy": (0, 0, 128),
    "fuchsia": (255, 0, 255), "purple": (128, 0, 128), "orange": (255, 165, 0),
}  # fmt: skip


def parse_colour(text: str) -> Colour:
    """Return a colour.

    Raises:
        ValueError: it is none that can be judged: translucent, a gradient, or a name that is not listed here.
    """
    found = read_colour(text)
    if found is None:
        raise ValueError(f"{text!r} is not a colour that can be judged")
    return found


def read_colour(text: str) -> Colour | None:
    """Return a colour; None where it is none that can be judged."""
    word = text.strip().lower()
    if word in _NAMED:
        return _NAMED[word]
    found = _HEX.match(word)
    if found is not None:
        digits = found[1] if len(found[1]) == 6 else "".join(letter * 2 for letter in found[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    rgb = _RGB.match(word)
    if rgb is not None:
        red, green, blue = (min(int(part), 255) for part in rgb.groups()[:3])
        return red, green, blue
    return None


def luminance(colour: Colour) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2, definition of relative luminance)."""
    red, green, blue = (c / 12.92 if (c := part / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
