"""Bounces and complaints that come by mail: read, classified, and told as what a provider would tell.

`parts` takes a mail apart, `reading` finds what it says of a message of ours, `classifying` tells whether the address is at
fault, by the tables of `phrases` and `status_codes`; `complaints` reads feedback reports. Providers' codes are classified
by the same tables.
"""

from sojourn.delivery.bounces.classifying import Reason, classify, hard
from sojourn.delivery.bounces.complaints import Complaint
from sojourn.delivery.bounces.parts import MAX_MAIL_BYTES
from sojourn.delivery.bounces.reading import MAX_RECIPIENTS, Bounce, notice, notices, read, read_all

__all__ = ["MAX_MAIL_BYTES", "MAX_RECIPIENTS", "Bounce", "Complaint", "Reason", "classify", "hard", "notice", "notices", "read", "read_all"]
