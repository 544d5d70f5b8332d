"""Columns that have one row for every frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, eq=False)
class ByFrame:
    """A dataclass whose fields are arrays ``(N,…)``, or such classes themselves."""

    def rows(self, rows: Any) -> Self:
        """Some frames."""
        columns = (getattr(self, field.name) for field in fields(self))
        return type(self)(
            *(one.rows(rows) if isinstance(one, ByFrame) else one[rows] for one in columns)
        )

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Frames one after the other."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(
            *(
                type(column[0]).concat(column)
                if isinstance(column[0], ByFrame)
                else np.concatenate(column)
                for column in columns
            )
        )
