"""Live segments: who is in which, to the second, with work in proportion to what changes.

needs     what of a person's facts the definitions ask for
facts     reads that, for many people at once
live      judges people anew: after their events, and when a window passes
due       when that is, person by person
rebuild   goes through everyone after a definition was edited, in the background
causes    why a membership changed, and what moves journeys
releases  what an import or an edit with `--live` made, told a few a minute
lists     segments without a condition: kept by hand, uploaded, frozen, clustered
"""

from sojourn.customers.segments.book import SegmentBook
from sojourn.customers.segments.live import ENTERED, EXITED, Change

__all__ = ["ENTERED", "EXITED", "Change", "SegmentBook"]
