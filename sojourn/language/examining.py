"""Goes through a folder of definitions and gathers all mistakes and warnings in one run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sojourn.language.asked import check_segment_names, check_segments, understood
from sojourn.language.broadcast_checks import as_segment, check_broadcast, check_broadcast_hours
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog import CATALOG, RECOMMENDATIONS_FILE, check_recommendations, load_catalog
from sojourn.language.catalog_model import Catalog, RecommendationSettings
from sojourn.language.checks import check_hours, check_journey, check_variants
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.definitions import Definitions
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.entering import check_circles
from sojourn.language.events.checks import check_asked, check_event
from sojourn.language.events.dialect import check_dialect
from sojourn.language.events.model import EventDefinition
from sojourn.language.finding import Finding, Findings, Known
from sojourn.language.ignored import ignored_files
from sojourn.language.model import Enter, Journey, Model, Segment, Set
from sojourn.language.naming_checks import check_definition, check_persona_names
from sojourn.language.naming_elsewhere import check_elsewhere, check_models
from sojourn.language.outline import walk
from sojourn.language.parsing import Parsed, Read, by_name, placed, read_all, yaml_files
from sojourn.language.persona_checks import check_persona, check_seeds
from sojourn.language.persona_model import Persona, SeedList
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.profile_checks import asked_in, check_computed, check_profile, check_traits
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.language.segment_guards import segment_cautions
from sojourn.language.shop import ShopSettings
from sojourn.language.shop_checks import check_shop
from sojourn.language.source import Node
from sojourn.language.spelling import ENGINE, mentions, misspelt, nearly_the_same
from sojourn.language.stages_model import StagesModel
from sojourn.language.vocabulary import Vocabulary

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
_M = TypeVar("_M", bound=Model)
_SEGMENT = re.compile(r"\bsegment\.([a-z]\w*)")


@dataclass
class Examined:
    """What was found in a folder.

    Attributes:
        definitions: all of it; None where something is wrong.
        known: the names that there are, those that broken files may define among them.
        problems: what is wrong.
        warnings: what is suspicious and no mistake.
        circles: journeys that enter themselves without a wait. A mistake to `sojourn check`, and a warning to whoever runs them:
            most are refused on the way, since a journey is once, and the others have run until now.
        journeys: those that are in order by themselves, with their files.
        broadcasts: the same of broadcasts.
        shop: what shop.yaml says; None where it cannot be read.
        profile: the same of profile.yaml.
        every: journeys, segments and whom broadcasts go to, as far as they can be read.
    """

    definitions: Definitions | None = None
    known: Known = field(default_factory=Known)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    circles: list[Problem] = field(default_factory=list)
    journeys: list[Parsed[Journey]] = field(default_factory=list)
    broadcasts: list[Parsed[Broadcast]] = field(default_factory=list)
    shop: ShopSettings | None = None
    profile: ProfileSettings | None = None
    every: list[tuple[str, Node, Journey | Segment]] = field(default_factory=list)

    def add(self, findings: Iterable[Finding], root: Node, file: str) -> None:
        """Keep findings about a file."""
        problems, warnings = placed(findings, root, file)
        self.problems += problems
        self.warnings += warnings

    def variants(self, contents: Mapping[str, Collection[str]]) -> list[Problem]:
        """Return the variants that messages name and their contents do not describe.

        Args:
            contents: the variants of each content; one that cannot be read is left out.
        """
        problems: list[Problem] = []
        every: list[tuple[str, Node, Journey]] = [*self.journeys, *((file, root, one.as_journey()) for file, root, one in self.broadcasts)]
        for file, root, journey in every:
            its = Findings()
            check_variants(journey, contents, its)
            problems += placed(its.all, root, file)[0]
        return problems


def examine(folder: Path) -> Examined:
    """Return what stands in a folder, with every problem and every warning of every file."""
    if not folder.is_dir():
        return Examined(problems=[Problem(str(folder), 1, 1, "no such folder; name the one that holds shop.yaml and the journeys")])
    return _Folder(folder).examine()


class _Folder:
    def __init__(self, folder: Path) -> None:
        self.folder, self.found = folder, Examined()
        problems = self.found.problems
        self.journeys = read_all([path for path in yaml_files(folder) if self._is_journey(path)], Journey, problems)
        self.segments = read_all(yaml_files(folder / "segments"), Segment, problems)
        self.events = read_all(yaml_files(folder / EVENTS), EventDefinition, problems)
        self.broadcasts = read_all(yaml_files(folder / BROADCASTS), Broadcast, problems)
        self.personas = read_all(yaml_files(folder / PERSONAS), Persona, problems)
        self.found.journeys, self.found.broadcasts = self.journeys.good, self.broadcasts.good
        self.profile_file = self._one(PROFILE_FILE, ProfileSettings)

    def _is_journey(self, path: Path) -> bool:
        if path.suffix == ".yml" and f"{path.stem}.yaml" in NOT_JOURNEYS:
            self.found.problems.append(Problem(str(path), 1, 1, f"is not read under this name; rename it to {path.stem}.yaml"))
            return False
        return path.name not in NOT_JOURNEYS

    def _one(self, name: str, model: type[_M]) -> Read[_M]:
        path = self.folder / name
        return read_all([path] if path.is_file() else [], model, self.found.problems)

    def examine(self) -> Examined:
        found, problems = self.found, self.found.problems
        shop, profile = self._shop(), self._profile()
        events = by_name(self.events.good, "event", problems)
        others: list[tuple[str, Node, Model]] = []
        for name, model in (
            (RESOLUTION_FILE, ResolutionSettings), (STAGES_FILE, StagesModel), (CLUSTERS_FILE, ClustersModel),
            (DELIVERY_FILE, DeliverySettings),
        ):  # fmt: skip
            others += self._one(name, model).good  # read by their commands; checked here
        for file, root, seeds in self._one(SEEDS_FILE, SeedList).good:
            found.add(check_seeds(seeds), root, file)
        catalog, recommendations, its_file = self._catalog()
        others += its_file
        others += self.profile_file.good if profile is not None else []
        journeys, segments = by_name(self.journeys.good, "journey", problems), by_name(self.segments.good, "segment", problems)
        broadcasts, personas = by_name(self.broadcasts.good, "broadcast", problems), by_name(self.personas.good, "persona", problems)
        known = found.known = self._known(shop, journeys, segments, events)
        for file, root, journey in self.journeys.good:
            found.add(check_journey(journey, known), root, file)
        for file, root, broadcast in self.broadcasts.good:
            found.add(check_broadcast(broadcast, known, journeys), root, file)
        for file, root, persona in self.personas.good:
            found.add(check_persona(persona, known, profile), root, file)
        for name, findings in check_segments({segment.name: segment for _, _, segment in self.segments.good}, known.segments).items():
            for file, root, segment in self.segments.good:
                if segment.name == name:
                    found.add(findings, root, file)
        self._events()
        if shop is not None:
            self._hours(shop)
        self._circles(journeys)
        self._salvaged(known)
        vocabulary = self._vocabulary(shop, profile, events, known)
        self._names(vocabulary)
        found.shop, found.profile, found.every = shop, profile, self._every(broken=False)
        for file, root, other in others:
            found.add(check_elsewhere(other, vocabulary), root, file)
        for mistakes, cautious in [check_models(self.folder, vocabulary)] if vocabulary.known.events is not None else ():
            found.problems += mistakes
            found.warnings += cautious
        found.warnings += ignored_files(self.folder)
        cautions = segment_cautions(segments, journeys.values(), _mentioned(self.folder)) if not problems else {}
        for file, root, segment in self.segments.good if cautions else ():
            found.warnings += placed(cautions[segment.name], root, file)[0]
        found.problems[:], found.warnings[:] = sorted(set(problems)), sorted(set(found.warnings))
        if problems or shop is None or profile is None:
            return found
        found.definitions = Definitions(
            journeys, segments, shop, self.folder, known.contents or frozenset(), known.models or frozenset(), profile, events,
            tuple(sorted({*found.warnings, *found.circles})), broadcasts, personas, catalog, recommendations,
        )  # fmt: skip
        return found

    # -- one file each -------------------------------------------------------------------------

    def _shop(self) -> ShopSettings | None:
        path = self.folder / SHOP_FILE
        if not path.is_file():
            missing = "is missing; write name, sender: {name, address} and postal_address of the shop"
            self.found.problems.append(Problem(str(path), 1, 1, missing))
            return None
        names = {path.stem for path in yaml_files(self.folder)} | {journey.name for _, _, journey in self.journeys.all}
        read = self._one(SHOP_FILE, ShopSettings)
        for file, root, shop in read.good:
            self.found.add(check_shop(shop, names), root, file)
        return read.good[0][2] if read.good else None

    def _profile(self) -> ProfileSettings | None:
        if not (self.folder / PROFILE_FILE).is_file():
            return ProfileSettings()
        for file, root, settings in self.profile_file.broken:
            self.found.add(check_computed(settings), root, file)
        before = len(self.found.problems)
        for file, root, settings in self.profile_file.good:
            self.found.add(check_profile(settings), root, file)
        whole = self.profile_file.good and len(self.found.problems) == before
        return self.profile_file.good[0][2] if whole else None

    def _catalog(self) -> tuple[Catalog, RecommendationSettings, list[Parsed[RecommendationSettings]]]:
        read = self._one(RECOMMENDATIONS_FILE, RecommendationSettings)
        settings = read.good[0][2] if read.good else RecommendationSettings()
        try:
            catalog = load_catalog(self.folder)
        except DefinitionError as error:
            self.found.problems += error.problems  # and its rules are not looked at: they would name nothing that there is
            return Catalog(), settings, read.good
        for file, root, rules in read.good:
            self.found.add(check_recommendations(rules, catalog), root, file)
        return catalog, settings, read.good

    # -- beside each other ---------------------------------------------------------------------

    def _known(self, shop: ShopSettings | None, journeys: Iterable[str], segments: Iterable[str], events: Iterable[str]) -> Known:
        return Known(
            contents=frozenset(path.stem for path in (self.folder / "content").glob("*.mjml")),
            models=BUILTIN_MODELS | {path.stem for path in yaml_files(self.folder / "models")},
            segments=frozenset(segments) | _unread(self.folder / "segments", self.segments),
            journeys=frozenset(journeys) | _unread(self.folder, self.journeys),
            purposes=None if shop is None else frozenset(shop.purposes()),
            topics=None if shop is None else {name: topic.purpose for name, topic in shop.topics.items()},
            hosts=None if shop is None else frozenset(shop.connected.hosts),
            events=frozenset(events),
        )

    def _events(self) -> None:
        for file, root, event in self.events.good:
            self.found.add(check_event(event), root, file)
        for file, root, event in self.events.broken:
            its = Findings()
            check_dialect(event.properties, ("properties",), its)
            self.found.add(its.all, root, file)

    def _hours(self, shop: ShopSettings) -> None:
        for file, root, journey in self.journeys.good:
            self.found.add(check_hours(journey, shop), root, file)
        for file, root, broadcast in self.broadcasts.good:
            self.found.add([*check_hours(broadcast.as_journey(), shop), *check_broadcast_hours(broadcast, shop)], root, file)

    def _circles(self, journeys: dict[str, Journey]) -> None:
        found = {name: Findings() for name in journeys}
        check_circles(journeys, found)
        for file, root, journey in self.journeys.good:
            self.found.circles += placed(found[journey.name].all, root, file)[0]

    def _salvaged(self, known: Known) -> None:
        """Check the conditions of what has not the right shape; what else is said of it would follow from that."""
        for file, root, definition in self._every(broken=True):
            its = Findings()
            for text, way in asked_in(definition):
                condition = understood(text, way, its)
                if condition is not None:
                    check_segment_names(condition, way, known.segments, its)
            self.found.add(its.all, root, file)

    def _every(self, *, broken: bool) -> list[tuple[str, Node, Journey | Segment]]:
        """Return journeys, segments and whom broadcasts go to, with their files; broadcasts also as the journeys that they are."""
        kinds = (self.journeys.broken, self.segments.broken, self.broadcasts.broken)
        if not broken:
            return [*self.journeys.all, *self.segments.all, *((file, root, as_segment(one)) for file, root, one in self.broadcasts.all)]
        return [*kinds[0], *kinds[1], *((file, root, as_segment(one)) for file, root, one in kinds[2])]

    def _vocabulary(
        self, shop: ShopSettings | None, profile: ProfileSettings | None, events: dict[str, EventDefinition], known: Known
    ) -> Vocabulary:
        begun: dict[str, set[str]] = {}
        traits: set[str] = set()
        for _, _, journey in self.journeys.all:
            for _, step in walk(journey):
                if isinstance(step, Enter):
                    begun.setdefault(step.enter, {"journey", "from"}).update(step.with_)
                traits |= set(step.set) if isinstance(step, Set) else set()
        unread = bool(self.events.broken) or bool(_unread(self.folder / EVENTS, self.events))
        return Vocabulary(
            events=events,
            undeclared="accept" if shop is None or unread else shop.undeclared_events,
            profile=profile,
            traits_set=frozenset(traits),
            begun_with={name: frozenset(properties) for name, properties in begun.items()},
            known=known if not unread else replace(known, events=None),
        )

    def _names(self, vocabulary: Vocabulary) -> None:
        every = self._every(broken=False)
        roots = {file: root for file, root, _ in every}
        definitions = {file: definition for file, _, definition in every}
        for file, findings in misspelt(definitions, vocabulary.events).items():
            self.found.add(findings, roots[file], file)
        for file, findings in check_traits(definitions, vocabulary.profile).items() if vocabulary.profile is not None else ():
            self.found.add(findings, roots[file], file)
        counts = Counter(mention.name for definition in definitions.values() for mention in mentions(definition))
        for file, definition in definitions.items():
            its = Findings(check_asked(definition, vocabulary.events, vocabulary.undeclared))
            if vocabulary.known.events is not None:
                check_definition(definition, vocabulary, its)
            for mention in mentions(definition) if not vocabulary.events else ():
                near = nearly_the_same(mention.name, counts) if mention.name not in ENGINE else None
                if near is not None:
                    its.warn(mention.way, f"the event `{mention.name}` stands nowhere else; did you mean `{near}`?", mention.offset)
            self.found.add(its.all, roots[file], file)
        for file, root, persona in self.personas.good if vocabulary.known.events is not None else ():
            its = Findings()
            check_persona_names(persona, vocabulary, its)
            self.found.add(its.all, root, file)


def _mentioned(folder: Path) -> set[str]:
    """Segments that anything else names, such as a model's feature: read as text, since only a name is asked for."""
    places = [path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml", ".mjml", ".txt")]
    others = (path for path in places if path.parent not in (folder, folder / "segments") and path.is_file())
    return {name for path in others for name in _SEGMENT.findall(path.read_text("utf-8", errors="replace"))}


def _unread(folder: Path, read: Read[_M]) -> set[str]:
    """Names that broken files may define: whoever names them need not hear of it as well."""
    good = {file for file, _, _ in read.good}
    names = {getattr(definition, "name", None) for _, _, definition in read.broken}
    return {path.stem for path in yaml_files(folder) if str(path) not in good} | {name for name in names if isinstance(name, str)}


__all__ = [
    "CLUSTERS_FILE", "DELIVERY_FILE", "EVENTS", "PROFILE_FILE", "RESOLUTION_FILE", "SEEDS_FILE", "SHOP_FILE", "STAGES_FILE", "Examined",
    "examine",
]  # fmt: skip
