"""Where hands come from: the detector, a device's own hands, a data set's joints, a regressor."""

from hands.sources.protocol import HandSource, LocatedHands, SourceHands

__all__ = ["HandSource", "LocatedHands", "SourceHands"]
