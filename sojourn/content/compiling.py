"""MJML to HTML: what `mrml` makes of it, with what it gets wrong put right before and after.

`tests/unit/content/test_mjml_compared.py` holds it against npm's own MJML.
"""

from __future__ import annotations

import re

from mjml import mjml2html

from sojourn.content.applied import put_on, taken_out
from sojourn.content.attributes import TAG, unambiguous, with_values
from sojourn.content.direction import columns_aligned
from sojourn.errors import RenderError

_LENGTHS = frozenset({
    "background-height", "background-width", "border-radius", "border-width", "font-size", "gutter", "height", "ico-font-size",
    "icon-height", "icon-size", "icon-width", "inner-border-radius", "letter-spacing", "max-height", "tb-border-radius", "tb-width",
    "width",
})  # fmt: skip
# A picture is so many pixels wide; clients make nothing of half of one.
_FRACTION = re.compile(r"(?P<before><td style=\"width:|<img\b[^<>]*? width=\")(?P<whole>\d+)\.\d+(?P<after>px;\">|\")")
_UNITLESS = re.compile(r"(?<!\S)(\d+(?:\.\d+)?)(?!\S)")


def to_html(name: str, mjml: str) -> str:
    """Return MJML as HTML. A font is fetched only where `mj-font` asks for it: a name such as Roboto alone brings no request to Google.

    Raises:
        RenderError: it is none.
    """
    mjml, styles, attributes = taken_out(mjml)
    try:
        html = mjml2html(TAG.sub(_spelt_out, mjml), fonts={})
    except ValueError as error:
        raise RenderError(f"{name} is not MJML: {str(error)[:200]}") from None
    return put_on(columns_aligned(_FRACTION.sub(r"\g<before>\g<whole>\g<after>", html)), styles, attributes)


def _spelt_out(tag: re.Match[str]) -> str:
    """Return a tag whose values every reader takes alike, with digits for what mrml would write in a spelling of its own: `\\u{a0}`."""
    if tag["name"] is None:
        return tag[0]
    component = tag["name"].startswith("mj-") and tag["name"] != "mj-table"
    text = with_values(tag, lambda name, raw: _in_digits(_with_units(raw) if component and _is_length(name) else raw))
    begins = len(tag["close"]) + 1
    end = begins + len(tag["name"])
    return f"{text[:begins]}{tag['name'].lower()}{text[end:]}"  # mrml takes `<IMG>` for one that has to be closed


def _is_length(name: str) -> bool:
    return name in _LENGTHS or "padding" in name


def _with_units(raw: str) -> str:
    """Return lengths with a unit each: mrml reads a shorthand such as `0 25px` as nothing at all."""
    return _UNITLESS.sub(r"\1px", raw)


def _in_digits(raw: str) -> str:
    text = unambiguous(raw)
    return text if text.isascii() and text.isprintable() and "\\" not in text else "".join(map(_digits, text))


def _digits(letter: str) -> str:
    return letter if letter.isascii() and letter.isprintable() and letter != "\\" else f"&#{ord(letter)};"
