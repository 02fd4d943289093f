"""The theme: what all messages of a shop look like, in one file, `content/theme.yaml`, as `theme.*`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from sojourn.content.colours import CONTRAST, contrast, parse_colour
from sojourn.language.model import Model

FILE = "theme.yaml"
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", description="a colour, such as #24433a")]
Pixels = Annotated[int, Field(ge=0, le=2000)]
_ON = (("text", "card"), ("text", "page"), ("quiet", "card"), ("quiet", "page"), ("link", "card"), ("on_button", "button"))


class Colours(Model):
    """The colours of one mode, by what they are for."""

    page: Colour = Field(default="#f6f5f2", description="behind everything")
    card: Colour = Field(default="#ffffff", description="behind the message")
    text: Colour = Field(default="#2b2a27", description="of what is read")
    quiet: Colour = Field(default="#6d6a63", description="of what is said beside it")
    link: Colour = Field(default="#24433a", description="of links in a text")
    button: Colour = Field(default="#24433a", description="behind a button's words")
    on_button: Colour = Field(default="#ffffff", description="of a button's words")
    line: Colour = Field(default="#e4e1da", description="of lines and frames")


class DarkColours(Colours):
    """The colours of dark mode."""

    page: Colour = Field(default="#171715", description="behind everything")
    card: Colour = Field(default="#21211e", description="behind the message")
    text: Colour = Field(default="#ece9e2", description="of what is read")
    quiet: Colour = Field(default="#a5a198", description="of what is said beside it")
    link: Colour = Field(default="#cfe3d8", description="of links in a text")
    button: Colour = Field(default="#cfe3d8", description="behind a button's words")
    on_button: Colour = Field(default="#14231d", description="of a button's words")
    line: Colour = Field(default="#56534b", description="of lines and frames")


class Fonts(Model):
    """Fonts, each with those that stand in for it."""

    text: str = Field(
        default="-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif", description="of all texts"
    )
    code: str = Field(default="Menlo, Consolas, monospace", description="of codes")
    size: Pixels = Field(default=16, description="of a text, in pixels")


class Logo(Model):
    """The shop's picture at the head of each message."""

    src: str = Field(pattern=r"^https://\S+$", description="the picture's address")
    width: Pixels = Field(default=120, description="how wide it is shown, in pixels")


class Theme(Model):
    """What all messages look like."""

    colors: Colours = Field(default_factory=Colours, description="by what each is for")
    dark: DarkColours = Field(default_factory=DarkColours, description="the same, for those who read in dark mode")
    fonts: Fonts = Field(default_factory=Fonts, description="fonts and their size")
    logo: Logo | None = Field(default=None, description="the shop's picture; default: its name")
    width: Pixels = Field(default=560, description="of a message, in pixels")
    radius: Pixels = Field(default=10, description="of the card's corners, in pixels")


def faults(theme: Theme) -> Iterator[tuple[str, str, str]]:
    """Give what cannot be read well: the mode, the colour's name, the sentence."""
    for mode, colours in (("colors", theme.colors), ("dark", theme.dark)):
        for above, below in _ON:
            one, other = getattr(colours, above), getattr(colours, below)
            ratio = contrast(parse_colour(one), parse_colour(other))
            if ratio < CONTRAST:
                where = "in dark mode " if mode == "dark" else ""
                pair = f"{where}`{above}` {one} on `{below}` {other}"
                yield mode, above, f"{pair} has a contrast of {ratio:.1f}; at least {CONTRAST} is read well"


def value_of(theme: Theme, way: list[str]) -> Any:
    """Return a value of the theme by its dotted name; None where it holds none.

    Raises:
        KeyError: there is no such name; with the names that there are.
    """
    at: Any = theme
    for i, part in enumerate(way):
        if at is None:
            return None
        if not isinstance(at, Model) or part not in type(at).model_fields:
            known = type(at).model_fields if isinstance(at, Model) else {}
            raise KeyError([".".join(["theme", *way[:i], name]) for name in known])
        at = getattr(at, part)
    return at if not isinstance(at, Model) else True
