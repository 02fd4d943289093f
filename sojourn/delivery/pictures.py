"""Small pictures of one line: how long it is until a moment, whether an item is in stock."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from sojourn.language.catalog_model import Item

WIDTH, HEIGHT = 480, 96  # drawn at twice the size in which a mail shows it
SIZE = 40
FRAMES = 60  # a picture that counts on does so for a minute
FEW = 5  # of which it is said how many are left
PAPER, INK = 255, 32
OVER = "It is over"
IN_STOCK, SOLD_OUT = "In stock", "Sold out for now"


def left(until: datetime, now: datetime) -> str:
    """Return how long it is until a moment, such as `2 d 04:05:06`."""
    seconds = int((until - now).total_seconds())
    if seconds <= 0:
        return OVER
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def stock(item: Item | None) -> str:
    """Return whether an item can be bought; one that is no longer in the catalogue cannot."""
    if item is None or not item.available:
        return SOLD_OUT
    return f"Only {item.stock} left" if item.stock is not None and item.stock <= FEW else IN_STOCK


def png(words: str) -> bytes:
    """Return a line as a PNG."""
    file = io.BytesIO()
    _drawn(words).save(file, "PNG", optimize=True)
    return file.getvalue()


def gif(words: str, until: datetime | None, now: datetime) -> bytes:
    """Return a line as a GIF; one that counts down goes on for a minute, then stands still."""
    lines = [words]
    if until is not None and until > now:
        lines = list(dict.fromkeys(left(until, now + timedelta(seconds=i)) for i in range(FRAMES)))
    first, *rest = [_drawn(line) for line in lines]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=rest, duration=1000, optimize=False)
    return file.getvalue()


def _drawn(words: str) -> Image.Image:
    image = Image.new("L", (WIDTH, HEIGHT), PAPER)
    ImageDraw.Draw(image).text((4, HEIGHT // 2), words, fill=INK, font=_font(), anchor="lm")
    return image.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings along."""
    return ImageFont.load_default(SIZE)
