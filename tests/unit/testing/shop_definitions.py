"""Small journeys for tests of one rule each."""

from __future__ import annotations

from typing import Any

from sojourn.testing import Shop

NOTE = """\
---
subject: A note for {{ profile.first_name | default("you") }}
preheader: Nothing more.
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {{ profile.first_name | default("you") }}.</mj-text>
<mj-button href="https://shop.example/one">One</mj-button>
<mj-text><a href="https://shop.example/two?x=1&amp;y=2">Two</a> <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
EMAIL = {"email": "ada@shop-customers.example"}


def journey(name: str, body: str, description: str = "A journey of a test.") -> str:
    return f"journey: {name}\ndescription: {description}\n{body}"


def small_shop(*bodies: str, **given: Any) -> Shop:
    """Return a shop of journeys j0, j1 …, and of one content, `note`."""
    journeys = [body if body.startswith("journey:") else journey(f"j{i}", body) for i, body in enumerate(bodies)]
    return Shop(journeys=journeys, contents={"note": NOTE}, **given)
