"""Asks other services: the only door by which a team's definitions reach the web."""

from sojourn.outbound.addresses import Resolver, allowed_address, resolve
from sojourn.outbound.client import Got, NoWeb, Outbound, Question, WebClient

__all__ = ["Got", "NoWeb", "Outbound", "Question", "Resolver", "WebClient", "allowed_address", "resolve"]
