"""What readers do with a message: open it, follow a link, unsubscribe, choose, confirm."""

from __future__ import annotations

from sojourn.customers.preferences import Frequency
from sojourn.delivery import preferring
from sojourn.delivery.machine import TOO_SOON
from sojourn.delivery.settling import SETTLING
from sojourn.delivery.webhooks.base import Kind
from sojourn.errors import NotFound, SojournError
from sojourn.language.problems import unknown
from sojourn.testing import reading
from sojourn.testing.answers import Send
from sojourn.testing.looking import Looking

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Readers(Looking):
    """The verbs of readers."""

    def open(self, send: Send, *, agent: str = PERSON) -> Send:
        """Let the person see a message's pictures, and return the send.

        Nobody reads within two seconds of a message's arrival, and an open settles a second and a half later: the
        clock is moved by what is missing of that.

        Args:
            send: one that arrived.
            agent: what the program says of itself; a robot's does not count as the person's.
        """
        pixel = next((found for found in reading.hrefs(self._arrived(send, "open")) if "/o/" in found), None)
        if pixel is None:
            raise NotFound("this message has no picture to tell that it was opened")
        return self._follow(send, pixel, agent)

    def click(self, send: Send, link: int | str = 0, *, agent: str = PERSON) -> Send:
        """Let the person follow a link of a message, and return the send; the clock is moved as `open` moves it.

        Args:
            send: one that arrived.
            link: its position in `send.links`, or part of where it leads.
            agent: what the program says of itself; a robot's does not count as the person's.
        """
        self._arrived(send, "click")
        links = self.send(send.key).links
        found = [one for i, one in enumerate(links) if (link in one if isinstance(link, str) else link in (i, i - len(links)))]
        if not found:
            there = ", ".join(f"{i}: {one}" for i, one in enumerate(links)) or "none"
            raise NotFound(f"{send.content} has no link {link!r}; it has {there}")
        return self._follow(send, found[0].tracked, agent)

    def unsubscribe(self, send: Send | str) -> Send:
        """Let the person unsubscribe with one click, as mail programs offer it, and return the send.

        Args:
            send: one that arrived; or a person, whose latest message that can be unsubscribed from it is.
        """
        if isinstance(send, str):
            send = self._latest(send, "List-Unsubscribe")
        self._arrived(send, "unsubscribe from")
        address = send.headers.get("List-Unsubscribe", "").strip("<>")
        if not address:
            raise NotFound(f"{send.content} cannot be unsubscribed from: it is transactional")
        self._post(address, {"List-Unsubscribe": "One-Click"})
        return self.send(send.key)

    def complain(self, send: Send | str) -> Send:
        """Let the person mark a message as spam, as a provider tells of it, and return the send.

        Args:
            send: one that arrived; or a person, whose latest message it is.
        """
        if isinstance(send, str):
            send = self._latest(send)
        self._arrived(send, "complain of")
        self._run(self._engine.notice(Kind.COMPLAINED, send.key))
        return self.send(send.key)

    def prefer(self, send: Send | str, **choice: str) -> Send:
        """Let the person choose on the preference page of a message, and return the send.

        `choice` is the page's form: `all="off"`; or `frequency="normal"`, `"weekly"` or `"paused"`, and `topic_NAME="on"` for each
        topic that stays on (`purpose_NAME="on"` where the shop has no topics); the others are off.

        Args:
            send: one that arrived; or a person, whose latest message it is.
            **choice: the form.

        Raises:
            NotFound: the page has no such line.
            SojournError: the page refuses the form; says what it takes.
        """
        if isinstance(send, str):
            send = self._latest(send)
        self._arrived(send, "choose by")
        fields = {name.replace("_", ".", 1) if name.startswith(("topic_", "purpose_")) else name: value for name, value in choice.items()}
        page = self._read(preferring.shown, send.key, self._engine.registry.shop, self.now)
        there = ["all", "frequency", *(item.field for item in page.items)]
        for name, value in fields.items():
            if name not in there:
                known = [one.replace(".", "_", 1) for one in there]
                raise NotFound(unknown("line of the preference page", name.replace(".", "_", 1), known))
            if value not in ("on", "off") and name != "frequency":
                raise SojournError(f'{name.replace(".", "_", 1)} is "on" or "off", not {value!r}')
        self._post(self._engine.journeys.links.preferences(send.key), fields)
        return self.send(send.key)

    def confirm(self, send: Send) -> Send:
        """Let the person confirm the consent that a message asks about, and return the send."""
        self._arrived(send, "confirm by")
        self._post(self._engine.journeys.links.confirm(send.key))
        return self.send(send.key)

    def _post(self, address: str, form: dict[str, str] | None = None) -> None:
        """Send a page's form.

        Raises:
            SojournError: the page refuses it.
        """
        answer = self._run(self._engine.request("POST", address, {"User-Agent": PERSON}, form))
        if answer.is_error:
            frequencies = ", ".join(f'"{one.value}"' for one in Frequency)
            raise SojournError(
                f"the page refuses this form ({answer.status_code}); a choice says frequency= (one of {frequencies}) and each line that "
                f'stays on, or all="off"'
                if form and "List-Unsubscribe" not in form
                else f"the page refuses this ({answer.status_code})"
            )

    def _latest(self, user_id: str, header: str | None = None) -> Send:
        found = [send for send in self.inbox(user_id) if header is None or header in send.headers]
        if not found:
            raise NotFound(f"{user_id} got no message yet")
        return found[-1]

    def _follow(self, send: Send, address: str, agent: str) -> Send:
        self._run(self._engine.pass_to(send.at + TOO_SOON))
        self._run(self._engine.request("GET", address, {"User-Agent": agent}))
        self._run(self._engine.pass_to(self.now + SETTLING))
        return self.send(send.key)

    def _arrived(self, send: Send, verb: str) -> str:
        known = self.send(send.key)
        if not known.arrived:
            raise NotFound(f"nobody can {verb} {known.content}: it is {known.state}" + (f" ({known.reason})" if known.reason else ""))
        return known.html
