"""AMP parts are valid by amphtml-validator itself, and what our own checks refuse it refuses too."""

import json
import subprocess
from pathlib import Path

import pytest
from npm_clients import node_modules

from sojourn.content import Contents, amp
from sojourn.content.links import rewrite_amp

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PACKAGES = {"amphtml-validator": "1.0.38", "next": "15.1.0"}  # next brings the validator's engine, which is else fetched from the web
FOLDER = Path(__file__).parents[2] / "journeys"
SCRIPT = """
const [modules] = process.argv.slice(1);
const validator = require(modules + '/amphtml-validator');
validator.getInstance(modules + '/next/dist/compiled/amphtml-validator/validator_wasm.js').then(async made => {
  if (made.init) await made.init();
  const parts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  console.log(JSON.stringify(parts.map(part => {
    const said = made.validateString(part, 'AMP4EMAIL');
    return [said.status, ...said.errors.map(error => error.message)];
  })));
});
"""
GOOD = """<!doctype html>
<html ⚡4email data-css-strict>
<head>
<meta charset="utf-8">
<script async src="https://cdn.ampproject.org/v0.js"></script>
<script async custom-element="amp-list" src="https://cdn.ampproject.org/v0/amp-list-0.1.js"></script>
<script async custom-template="amp-mustache" src="https://cdn.ampproject.org/v0/amp-mustache-0.2.js"></script>
<style amp4email-boilerplate>body{visibility:hidden}</style>
<style amp-custom>p { color: red }</style>
</head>
<body>
<p>Hello</p>
<amp-img src="https://shop.example/a.png" alt="" width="10" height="10"></amp-img>
<amp-list width="300" height="100" layout="fixed" src="https://shop.example/l">
<template type="amp-mustache"><p>{{name}}</p></template></amp-list>
</body>
</html>
"""
LIST = '<script async custom-element="amp-list" src="https://cdn.ampproject.org/v0/amp-list-0.1.js"></script>\n'
BAD = {
    "no doctype": GOOD.replace("<!doctype html>", ""),
    "no mark": GOOD.replace(" ⚡4email", ""),
    "no charset": GOOD.replace('<meta charset="utf-8">', ""),
    "no runtime": GOOD.replace('<script async src="https://cdn.ampproject.org/v0.js"></script>', ""),
    "no boilerplate": GOOD.replace("<style amp4email-boilerplate>body{visibility:hidden}</style>", ""),
    "another boilerplate": GOOD.replace("{visibility:hidden}", "{visibility:visible}"),
    "a script of one's own": GOOD.replace("<p>", "<script>alert(1)</script><p>"),
    "a script from elsewhere": GOOD.replace("<p>", '<script async src="https://evil.example/x.js"></script><p>'),
    "a component of the web": GOOD.replace(
        LIST, LIST + '<script async custom-element="amp-iframe" src="https://cdn.ampproject.org/v0/amp-iframe-0.1.js"></script>'
    ),
    "a component without its script": GOOD.replace(LIST, ""),
    "an image of HTML": GOOD.replace("<p>", '<img src="https://shop.example/a.png"><p>'),
    "a frame": GOOD.replace("<p>", '<iframe src="https://shop.example/"></iframe><p>'),
    "plain http": GOOD.replace("https://shop.example/a.png", "http://shop.example/a.png"),
    "a handler": GOOD.replace("<p>", '<p onclick="x()">'),
    "important": GOOD.replace("red", "red !important"),
    "a style of one's own": GOOD.replace("<style amp-custom>", "<style>"),
}


def said(parts: list[str]) -> list[list[str]]:
    modules = node_modules(PACKAGES)
    command = ["node", "-e", SCRIPT, str(modules)]
    done = subprocess.run(command, input=json.dumps(parts), capture_output=True, text=True, timeout=120, check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_every_shipped_amp_part_is_valid_as_it_is_written_and_as_it_is_sent() -> None:
    contents = Contents.load(FOLDER)
    written = [contents.render(name, contents.sample(name)).amp for name in sorted(contents.names())]
    parts = [part for part in written if part is not None]
    assert parts
    ours, pixel = "https://mail.example", "https://mail.example/o/x.gif"
    sent = [rewrite_amp(part, lambda url: f"{ours}/c/{len(url)}", pixel, ours=ours) for part in parts]
    assert said([*parts, *sent]) == [["PASS"]] * (2 * len(parts))
    assert all("/o/x.gif" in part for part in sent)


def test_what_our_checks_refuse_the_validator_refuses_and_what_they_let_pass_it_does() -> None:
    assert amp.faults(GOOD) == []
    theirs = said([GOOD, *BAD.values()])
    assert theirs[0] == ["PASS"]
    for (what, part), verdict in zip(BAD.items(), theirs[1:], strict=True):
        ours = [*amp.faults(part), *amp.rendered_faults(part)]
        assert ours, what
        assert verdict[0] == "FAIL", (what, ours)
