"""What a mail says of a message of ours: RFC 3464's fields where there are any, else its words.

Anyone can write a mail that says that another has bounced. So one counts only where it holds what names a message of ours,
which its recipient alone has seen, and names the address that we wrote to.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from email import policy
from email.header import Header, decode_header
from email.message import Message as Mail
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

from flufl.bounce import all_failures

from sojourn.customers.suppression import normalise
from sojourn.delivery.bounces.classifying import classify, said_in
from sojourn.delivery.bounces.complaints import Complaint, feedback_type
from sojourn.delivery.bounces.ourselves import key_of
from sojourn.delivery.bounces.parts import Fields, Parts, fields_of, take_apart
from sojourn.delivery.bounces.reasons import Reason
from sojourn.delivery.webhooks.base import Kind, Notice
from sojourn.language import email_address

MAX_RECIPIENTS = 50
FAILED = "failed"
ACTIONS = {"delayed": Kind.DEFERRED, "delivered": Kind.DELIVERED, "relayed": Kind.ACCEPTED, "expanded": Kind.ACCEPTED}
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@]+@[^\s<>()\[\]\",;:@]+[^\s<>()\[\]\",;:@.]")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, 3
_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|post[-_]?master|mail ?(?:delivery|administrator|system|router)|mdaemon|mailadmin|bounce", re.IGNORECASE
)
_FAILURE = re.compile(
    r"undeliver|non-?deliver|not delivered|deliver\w*\W+(?:\w+\W+){0,3}(?:fail|problem|error|status|notif|report|unsuccess)|"
    r"fail\w*\W+(?:\w+\W+){0,3}deliver|returned? (?:mail|e-?mail|message|to sender)|mail (?:error|failure)|failure notice|"
    r"message (?:failure|status|could not)|couldn't be delivered|mail returned|unzustellbar|nicht zugestellt|"
    r"non (?:remis|distribu|livr|recapit)|no (?:se )?(?:pudo )?entreg|devuelt|mancato recapito|não entregue|devolvid|"
    r"недоставлен|не доставлен|не удалось доставить|возвра|配信|配送|送信(?:エラー|できません|失敗)|不達|戻り|"
    r"退信|退回|投递|无法送达|发送失败|niedostarcz|zwrot",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"out of (?:the )?office|auto(?:matic|mated)?[- ]?(?:reply|response|respond|antwort)|vacation|on leave|away from|abwesen|"
    r"réponse automatique|absence|respuesta automática|fuera de (?:la )?oficina|risposta automatica|fuori (?:sede|ufficio)|"
    r"автоответ|автоматический ответ|自动(?:回复|答复)|自動(?:応答|返信)|不在|afwezig|autosvar|frånvaro",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\(delay\)|delayed|warning: (?:could not send|message)|(?:still|will) (?:be )?(?:try|retr|attempt)\w*|will keep trying|"
    r"no action is required|not yet (?:been )?deliver|verzögert|retard",
    re.IGNORECASE,
)
_LINE = re.compile(r"(?m)^.*(?:(?<!\d)[245]\d\d[ -]|[#(\s][245]\.\d{1,3}\.\d{1,3}).*(?:\n[ \t]+\S.*){0,3}")


@dataclass(frozen=True)
class Bounce:
    """What a mail says of one of our messages.

    Attributes:
        send_key: of the message.
        addresses: that it names, in their canonical form.
        status: the enhanced status code (RFC 3463) that says most; empty where it gives none.
        action: RFC 3464's: failed, delayed, delivered, relayed or expanded.
        reason: why it did not arrive.
    """

    send_key: str
    addresses: frozenset[str]
    status: str
    action: str = FAILED
    reason: Reason = Reason.UNCLEAR

    @property
    def hard(self) -> bool:
        """Whether the address is at fault for good."""
        return self.action == FAILED and self.reason.hard

    @property
    def kind(self) -> Kind:
        """What it is told as."""
        return ACTIONS.get(self.action, Kind.BOUNCED)


def read(raw: bytes) -> Bounce | None:
    """Return what a mail says of a message of ours that did not arrive; None where it is no bounce, or of none of ours.

    Of several recipients the first that failed says why; all are named. `read_all` tells them apart.
    """
    found = [each for each in read_all(raw) if isinstance(each, Bounce) and each.reason is not Reason.FORWARDED]
    if not found:
        return None
    first = next((each for each in found if each.action == FAILED), found[0])
    return replace(first, addresses=frozenset().union(*(each.addresses for each in found)))


def read_all(raw: bytes) -> list[Bounce | Complaint]:
    """Return all that a mail says of a message of ours: a complaint, or a bounce for each recipient."""
    parts = take_apart(raw)
    key = key_of(parts.mail, [*parts.copies, parts.words])
    if key is None:
        return []
    feedback = feedback_type(parts)
    if feedback is not None:
        return [Complaint(key, feedback)]
    found = [bounce for fields in parts.groups if (bounce := _reported(key, fields, parts.words)) is not None]
    if found:
        wrote_to = _recipients(parts)
        named = frozenset().union(*(each.addresses for each in found))
        if wrote_to and not wrote_to & named:  # our reader's address exists; the one that it leads to does not take it
            found.append(replace(found[0], addresses=wrote_to, reason=Reason.FORWARDED, status=""))
        return list(found)
    worded = _worded(key, parts)
    return [worded] if worded is not None else []


def notice(bounce: Bounce | Complaint, raw: bytes) -> Notice:
    """Return a bounce or a complaint as what a provider would tell."""
    try:
        at = parsedate_to_datetime(str(BytesParser(policy=policy.compat32).parsebytes(raw[:65_536], headersonly=True).get("Date")))
    except (TypeError, ValueError, IndexError):
        at = None
    when = at if at is not None and at.tzinfo is not None else None
    if isinstance(bounce, Complaint):  # the address may have been taken out: who holds the key has had the message
        return Notice(_name(bounce.send_key, bounce.feedback), bounce.kind, when, bounce.send_key, code=bounce.feedback)
    name = _name(bounce.send_key, bounce.action, bounce.status)
    return Notice(name, bounce.kind, when, bounce.send_key, hard=bounce.hard, code=bounce.status or None, addresses=bounce.addresses)


def notices(raw: bytes) -> list[Notice]:
    """Return all that a mail tells of messages of ours; of its recipients only those that we wrote to will count."""
    return [notice(each, raw) for each in read_all(raw)]


def _name(*said: str) -> str:
    return hashlib.sha256(":".join(said).encode()).hexdigest()


def _reported(key: str, fields: Fields, words: str) -> Bounce | None:
    """Return what a group of a report's fields says of its recipient."""
    addresses = frozenset(filter(None, (_address(fields.get(name, "")) for name in ("final-recipient", "original-recipient"))))
    if not addresses:
        return None
    action = (re.split(r"[\s(;,]", fields.get("action", FAILED).strip().lower()) or [FAILED])[0]
    action = action if action in ACTIONS else FAILED
    status, diagnostic = fields.get("status", ""), fields.get("diagnostic-code", "")
    said = re.sub(r"^\s*[\w.-]+\s*;", "", diagnostic)
    if action != FAILED:
        return Bounce(key, addresses, said_in(f"status: {status}").status or said_in(said).status, action)
    reason, code = classify(status, said)
    if reason is Reason.UNCLEAR:
        reason, code = classify(code, _lines(words), words)
    return Bounce(key, addresses, code, action, reason)


def _worded(key: str, parts: Parts) -> Bounce | None:
    """Return what a mail without a report says; None where it is no bounce, such as an answer or a note of absence."""
    subject, sender = _header(parts.mail, "Subject"), _header(parts.mail, "From")
    failed = _addresses(str(parts.mail.get("X-Failed-Recipients") or ""))
    daemon = _DAEMON.search(sender) is not None or not sender.strip() or str(parts.mail.get("Return-Path") or "").strip() == "<>"
    report = parts.mail.get_content_type() == "multipart/report"
    if report and str(parts.mail.get_param("report-type") or "").lower() == "disposition-notification":
        return None  # it was read, or deleted
    if not failed and not report and _ANSWER.search(subject):
        return None
    if not (failed or report or (daemon and (parts.copies or _FAILURE.search(subject) or _LINE.search(parts.words)))):
        return _by_flufl(key, parts)
    wrote_to = _recipients(parts)
    named = _addresses(parts.words)
    addresses = frozenset(failed) or wrote_to or frozenset(named - _addresses(str(parts.mail.get("To") or "")) - _addresses(sender))
    if not addresses:
        return _by_flufl(key, parts)
    return _spoken(key, frozenset(sorted(addresses)[:MAX_RECIPIENTS]), parts, subject)


def _by_flufl(key: str, parts: Parts) -> Bounce | None:
    temporary, permanent = all_failures(parts.mail)
    named = [address.decode("ascii", "replace") if isinstance(address, bytes) else str(address) for address in [*permanent, *temporary]]
    if not named:
        return None
    return _spoken(key, frozenset(normalise(address) for address in named[:MAX_RECIPIENTS]), parts, _header(parts.mail, "Subject"))


def _spoken(key: str, addresses: frozenset[str], parts: Parts, subject: str) -> Bounce:
    """Return what a bounce says in words: first in the lines with a code, then in all of them."""
    reason, code = classify("", _lines(parts.words), parts.words)
    if not code:  # a program that gives none is believed to be temporary, unless it says that there is no such address
        code = "5.0.0" if reason.hard else "4.0.0"
    delayed = not reason.hard and _DELAYED.search(subject) is not None
    return Bounce(key, addresses, code, "delayed" if delayed else FAILED, reason)


def _lines(words: str) -> str:
    """Return the lines that bear a code."""
    return "\n".join(found[0] for found in list(_LINE.finditer(words))[:20])


def _recipients(parts: Parts) -> frozenset[str]:
    """Return whom the message that came back was to."""
    for copy in parts.copies:
        if (to := fields_of(copy).get("to")) and (found := _addresses(_decoded(to))):
            return frozenset(found)
    return frozenset()


def _addresses(text: str) -> set[str]:
    found = (email_address.canonical(each.strip("'`<>.")) for each in _ADDRESS.findall(text)[: 4 * MAX_RECIPIENTS])
    return {each for each in found if each is not None}


def _address(value: str) -> str:
    """Return the address of `rfc822; ann@example.com`, of `utf-8; …`, and of one without a type."""
    kind, semicolon, rest = value.partition(";")
    text = (rest if semicolon else kind).strip()
    if kind.strip().lower() == "utf-8":
        text = _HEX.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else "", text)
    whole = re.sub(r"\s*\([^()]*\)\s*$", "", text).strip("<> ")
    if (read_whole := email_address.canonical(whole)) is not None:
        return read_whole
    found = _ADDRESS.search(text)
    return normalise(found[0]) if found else ""


def _header(mail: Mail, name: str) -> str:
    value = mail.get(name)
    if isinstance(value, Header):  # letters beyond ASCII, as they are
        return "".join(part if isinstance(part, str) else part.decode("utf-8", "replace") for part, _ in decode_header(value))
    return _decoded(str(value or ""))


def _decoded(text: str) -> str:
    if "=?" not in text:
        return text
    try:
        read_parts = decode_header(text)
        return "".join(part if isinstance(part, str) else part.decode(charset or "utf-8", "replace") for part, charset in read_parts)
    except (LookupError, ValueError, UnicodeError):
        return text
