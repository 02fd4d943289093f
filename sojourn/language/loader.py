"""Reads a team's folder of definitions, strictly, and says everything that is wrong in one go.

journeys/shop.yaml            the shop
journeys/profile.yaml         what is known of a person
journeys/resolution.yaml      which profiles are one person's
journeys/stages.yaml          RFM groups and life-cycle stages (may be left out)
journeys/clusters.yaml        how clusters are made (may be left out)
journeys/delivery.yaml        who carries messages away (may be left out)
journeys/catalog.*            what is sold: yaml, csv or jsonl (may be left out)
journeys/recommendations.yaml which items are shown to whom (may be left out)
journeys/*.yaml               journeys
journeys/segments/*.yaml      segments
journeys/broadcasts/*.yaml    broadcasts
journeys/personas/*.yaml      made-up people for whom messages are previewed
journeys/seeds.yaml           addresses that tests of messages go to (may be left out)
journeys/events/*.yaml        events: what their properties must be
journeys/models/*.yaml        models, known here by their names
journeys/content/*.mjml       contents, known here by their names
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from sojourn.language.asked import check_segments
from sojourn.language.broadcast_checks import as_segment, as_written, check_broadcast
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog import CATALOG, RECOMMENDATIONS_FILE, check_recommendations, load_catalog
from sojourn.language.catalog_model import Catalog, RecommendationSettings
from sojourn.language.checks import check_journey
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.definitions import Definitions
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.events.checks import check_asked, check_event
from sojourn.language.events.model import EventDefinition
from sojourn.language.finding import NOTHING_KNOWN, Finding, Known
from sojourn.language.model import Journey, Model, Segment
from sojourn.language.persona_checks import check_persona, check_seeds
from sojourn.language.persona_model import Persona, SeedList
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.profile_checks import check_profile, check_traits
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.language.segment_guards import segment_cautions
from sojourn.language.shop import ShopSettings
from sojourn.language.shop_checks import check_shop
from sojourn.language.source import Node, read
from sojourn.language.spelling import misspelt
from sojourn.language.stages_model import StagesModel
from sojourn.language.wording import problems_of

SHOP_FILE = "shop.yaml"
PROFILE_FILE = "profile.yaml"
RESOLUTION_FILE = "resolution.yaml"
STAGES_FILE, CLUSTERS_FILE = "stages.yaml", "clusters.yaml"
DELIVERY_FILE, SEEDS_FILE = "delivery.yaml", "seeds.yaml"
NOT_JOURNEYS = frozenset(
    {
        SHOP_FILE, PROFILE_FILE, RESOLUTION_FILE, STAGES_FILE, CLUSTERS_FILE, DELIVERY_FILE, SEEDS_FILE,
        f"{CATALOG}.yaml", RECOMMENDATIONS_FILE,
    }
)  # fmt: skip
EVENTS = "events"
BROADCASTS = "broadcasts"
PERSONAS = "personas"
BUILTIN_MODELS = frozenset({"rfm"})
_SEGMENT = re.compile(r"\bsegment\.([a-z]\w*)")
_M = TypeVar("_M", bound=Model)
_Parsed = tuple[str, Node, _M]

__all__ = [
    "DefinitionError",
    "Definitions",
    "Problem",
    "load",
    "load_broadcast",
    "load_clusters",
    "load_delivery",
    "load_event",
    "load_events",
    "load_journey",
    "load_persona",
    "load_profile",
    "load_recommendations",
    "load_resolution",
    "load_seeds",
    "load_segment",
    "load_shop",
    "load_stages",
]


def load(folder: Path) -> Definitions:
    """Return all definitions of a folder.

    Raises:
        DefinitionError: with every problem of every file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DefinitionError([Problem(str(folder), 1, 1, "no such folder; name the one that holds shop.yaml and the journeys")])
    problems: list[Problem] = []
    journeys = _read_all(sorted(path for path in _yaml(folder) if path.name not in NOT_JOURNEYS), folder, Journey, problems)
    segments = _read_all(sorted(_yaml(folder / "segments")), folder, Segment, problems)
    events = _read_all(sorted(_yaml(folder / EVENTS)), folder, EventDefinition, problems)
    broadcasts = _read_all(sorted(_yaml(folder / BROADCASTS)), folder, Broadcast, problems)
    personas = _read_all(sorted(_yaml(folder / PERSONAS)), folder, Persona, problems)
    shop = _read_shop(folder, {path.stem for path in _yaml(folder)} | {journey.name for _, _, journey in journeys}, problems)
    profile = _read_profile(folder, problems)
    events_by_name = _by_name(events, "event", problems)
    others: tuple[tuple[str, type[Model]], ...] = (
        (RESOLUTION_FILE, ResolutionSettings),
        (STAGES_FILE, StagesModel),
        (CLUSTERS_FILE, ClustersModel),
        (DELIVERY_FILE, DeliverySettings),
    )
    for name, model in others:  # read by their commands; checked here
        _read_all([path for path in [folder / name] if path.is_file()], folder, model, problems)
    for file, root, seeds in _read_all([path for path in [folder / SEEDS_FILE] if path.is_file()], folder, SeedList, problems):
        problems += _placed(check_seeds(seeds), root, file)
    catalog, recommendations = _read_catalog(folder, problems)
    journeys_by_name, segments_by_name = _by_name(journeys, "journey", problems), _by_name(segments, "segment", problems)
    contents = frozenset(path.stem for path in (folder / "content").glob("*.mjml"))
    models = BUILTIN_MODELS | {path.stem for path in _yaml(folder / "models")}
    known = Known(
        contents=contents,
        models=models,
        segments=frozenset(segments_by_name) | _unread(folder / "segments", segments),
        journeys=frozenset(journeys_by_name) | _unread(folder, journeys),
        purposes=None if shop is None else frozenset(shop.purposes()),
        topics=None if shop is None else {name: topic.purpose for name, topic in shop.topics.items()},
        hosts=None if shop is None else frozenset(shop.connected.hosts),
    )
    for file, root, journey in journeys:
        problems += _placed(check_journey(journey, known), root, file)
    broadcasts_by_name = _by_name(broadcasts, "broadcast", problems)
    for file, root, broadcast in broadcasts:
        problems += _placed(check_broadcast(broadcast, known, journeys_by_name), root, file)
    personas_by_name = _by_name(personas, "persona", problems)
    for file, root, persona in personas:
        problems += _placed(check_persona(persona, known, profile), root, file)
    for name, findings in check_segments({segment.name: segment for _, _, segment in segments}, known.segments).items():
        for file, root, segment in segments:
            if segment.name == name:
                problems += _placed(findings, root, file)
    for file, root, event in events:
        problems += _placed(check_event(event), root, file)
    roots = {file: root for file, root, _ in [*journeys, *segments, *broadcasts]}
    every: dict[str, Journey | Segment] = {file: journey for file, _, journey in journeys}
    every |= {file: segment for file, _, segment in segments}
    every |= {file: as_segment(broadcast) for file, _, broadcast in broadcasts}
    for file, findings in misspelt(every, events_by_name).items():
        problems += _placed(findings, roots[file], file)
    for file, findings in check_traits(every, profile).items() if profile is not None else ():
        problems += _placed(findings, roots[file], file)
    undeclared = "accept" if shop is None or _unread(folder / EVENTS, events) else shop.undeclared_events
    for file, definition in every.items():
        problems += _placed(check_asked(definition, events_by_name, undeclared), roots[file], file)
    if problems or shop is None or profile is None:
        raise DefinitionError(problems)
    cautions = segment_cautions(segments_by_name, journeys_by_name.values(), _mentioned(folder))
    warnings = tuple(sorted(found for file, root, segment in segments for found in _placed(cautions[segment.name], root, file)))
    return Definitions(
        journeys_by_name, segments_by_name, shop, folder, contents, models, profile, events_by_name, warnings, broadcasts_by_name,
        personas_by_name,
        catalog, recommendations,
    )  # fmt: skip


def load_journey(text: str | bytes, file: str = "<text>", known: Known = NOTHING_KNOWN) -> Journey:
    """Return the journey that a YAML text defines, checked by itself.

    Args:
        text: the definition.
        file: what problems call it.
        known: names that exist beside it; those that are None are not checked.

    Raises:
        DefinitionError: with every problem.
    """
    return _load(text, file, Journey, lambda journey: check_journey(journey, known))


def load_segment(text: str | bytes, file: str = "<text>") -> Segment:
    """Return the segment that a YAML text defines; raises DefinitionError with every problem."""
    return _load(text, file, Segment, lambda segment: check_segments({segment.name: segment}, None).get(segment.name, []))


def load_broadcast(text: str | bytes, file: str = "<text>") -> Broadcast:
    """Return the broadcast that a YAML text defines; raises DefinitionError with every problem."""
    return _load(text, file, Broadcast, lambda broadcast: check_broadcast(broadcast, NOTHING_KNOWN))


def load_event(text: str | bytes, file: str = "<text>") -> EventDefinition:
    """Return the event that a YAML text declares; raises DefinitionError with every problem."""
    return _load(text, file, EventDefinition, check_event)


def load_events(folder: Path) -> dict[str, tuple[Path, EventDefinition]]:
    """Return the events that a folder of definitions declares, each with its file, whatever the rest of the folder says.

    Raises:
        DefinitionError: with every problem of every event.
    """
    problems: list[Problem] = []
    events = _read_all(sorted(_yaml(Path(folder) / EVENTS)), folder, EventDefinition, problems)
    _by_name(events, "event", problems)
    for file, root, event in events:
        problems += _placed(check_event(event), root, file)
    if problems:
        raise DefinitionError(problems)
    return {event.event: (Path(file), event) for file, _, event in events}


def load_shop(text: str | bytes, file: str = SHOP_FILE) -> ShopSettings:
    """Return the shop that a YAML text describes; raises DefinitionError with every problem."""
    return _load(text, file, ShopSettings, check_shop)


def load_profile(text: str | bytes, file: str = PROFILE_FILE) -> ProfileSettings:
    """Return what a YAML text says is known of a person; raises DefinitionError with every problem."""
    return _load(text, file, ProfileSettings, check_profile)


def load_resolution(text: str | bytes, file: str = RESOLUTION_FILE) -> ResolutionSettings:
    """Return the settings of the resolution that a YAML text holds; raises DefinitionError with every problem."""
    return _parse(text, file, ResolutionSettings)[2]


def load_stages(text: str | bytes, file: str = STAGES_FILE) -> StagesModel:
    """Return the stages that a YAML text describes; raises DefinitionError with every problem."""
    return _parse(text, file, StagesModel)[2]


def load_clusters(text: str | bytes, file: str = CLUSTERS_FILE) -> ClustersModel:
    """Return the clusters that a YAML text describes; raises DefinitionError with every problem."""
    return _parse(text, file, ClustersModel)[2]


def load_persona(text: str | bytes, file: str = "<text>") -> Persona:
    """Return the persona that a YAML text describes; raises DefinitionError with every problem."""
    return _load(text, file, Persona, lambda persona: check_persona(persona, NOTHING_KNOWN))


def load_seeds(text: str | bytes, file: str = SEEDS_FILE) -> SeedList:
    """Return the seed list that a YAML text holds; raises DefinitionError with every problem."""
    return _load(text, file, SeedList, check_seeds)


def load_delivery(text: str | bytes, file: str = DELIVERY_FILE) -> DeliverySettings:
    """Return who a YAML text has carry messages away; raises DefinitionError with every problem."""
    return _parse(text, file, DeliverySettings)[2]


def load_recommendations(text: str | bytes, file: str = RECOMMENDATIONS_FILE, catalog: Catalog | None = None) -> RecommendationSettings:
    """Return the rules of recommendation that a YAML text holds; raises DefinitionError with every problem."""
    return _load(text, file, RecommendationSettings, lambda rules: [] if catalog is None else check_recommendations(rules, catalog))


def _load(text: str | bytes, file: str, model: type[_M], check: Callable[[_M], list[Finding]]) -> _M:
    _, root, definition = _parse(text, file, model)
    problems = _placed(check(definition), root, file)
    if problems:
        raise DefinitionError(problems)
    return definition


def _parse(text: str | bytes, file: str, model: type[_M]) -> _Parsed[_M]:
    root = read(text, file)
    if not isinstance(root.value, dict):
        found = "empty" if root.value is None else "not a mapping"
        raise DefinitionError([Problem(file, root.line, root.column, f"{found}; begin with `{next(iter(model.model_fields))}: …`")])
    try:
        # JSON in strict mode: lists are taken for tuples, and nothing else is taken for what it is not.
        return file, root, model.model_validate_json(json.dumps(root.plain()), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DefinitionError(problems_of(error, root, file, model)) from None


def _placed(findings: list[Finding], root: Node, file: str) -> list[Problem]:
    if isinstance(root.value, dict) and "broadcast" in root.value:
        findings = as_written(findings)
    return [finding.problem(root, file) for finding in findings]


def _yaml(folder: Path) -> set[Path]:
    return {path for suffix in ("*.yaml", "*.yml") for path in folder.glob(suffix)}


def _read_all(paths: list[Path], folder: Path, model: type[_M], problems: list[Problem]) -> list[_Parsed[_M]]:
    parsed = []
    for path in paths:
        file = str(path)
        try:
            parsed.append(_parse(path.read_bytes(), file, model))
        except DefinitionError as error:
            problems += error.problems
        except OSError as error:
            problems.append(Problem(file, 1, 1, f"cannot be read: {error.strerror}"))
    return parsed


def _read_shop(folder: Path, journeys: set[str], problems: list[Problem]) -> ShopSettings | None:
    path = folder / SHOP_FILE
    if not path.is_file():
        problems.append(Problem(str(path), 1, 1, "is missing; write name, sender: {name, address} and postal_address of the shop"))
        return None
    parsed = _read_all([path], folder, ShopSettings, problems)
    problems += [problem for file, root, shop in parsed for problem in _placed(check_shop(shop, journeys), root, file)]
    return parsed[0][2] if parsed else None


def _read_profile(folder: Path, problems: list[Problem]) -> ProfileSettings | None:
    path = folder / PROFILE_FILE
    if not path.is_file():
        return ProfileSettings()
    parsed = _read_all([path], folder, ProfileSettings, problems)
    found = [problem for file, root, settings in parsed for problem in _placed(check_profile(settings), root, file)]
    problems += found
    return parsed[0][2] if parsed and not found else None


def _read_catalog(folder: Path, problems: list[Problem]) -> tuple[Catalog, RecommendationSettings]:
    path = folder / RECOMMENDATIONS_FILE
    parsed = _read_all([path] if path.is_file() else [], folder, RecommendationSettings, problems)
    settings = parsed[0][2] if parsed else RecommendationSettings()
    try:
        catalog = load_catalog(folder)
    except DefinitionError as error:
        problems += error.problems  # and its rules are not looked at: they would name nothing that there is
        return Catalog(), settings
    problems += [problem for file, root, rules in parsed for problem in _placed(check_recommendations(rules, catalog), root, file)]
    return catalog, settings


def _by_name(parsed: list[tuple[str, Node, _M]], kind: str, problems: list[Problem]) -> dict[str, _M]:
    found: dict[str, tuple[str, int, _M]] = {}
    for file, root, definition in parsed:
        name, node = getattr(definition, kind), root.value[kind]
        if name in found:
            first, line, _ = found[name]
            text = f"a second {kind} called `{name}`; the first is in {Path(first).name}:{line}; rename one"
            problems.append(Problem(file, node.line, node.column, text))
        else:
            found[name] = (file, node.line, definition)
    return {name: definition for name, (_, _, definition) in found.items()}


def _mentioned(folder: Path) -> set[str]:
    """Segments that anything else names, such as a model's feature: read as text, since only a name is asked for."""
    places = [path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml", ".mjml", ".txt")]
    others = (path for path in places if path.parent not in (folder, folder / "segments") and path.is_file())
    return {name for path in others for name in _SEGMENT.findall(path.read_text("utf-8", errors="replace"))}


def _unread(folder: Path, parsed: list[tuple[str, Node, _M]]) -> set[str]:
    """Names that broken files may define: whoever names them need not hear of it as well."""
    read_files = {file for file, _, _ in parsed}
    return {path.stem for path in _yaml(folder) if str(path) not in read_files}
