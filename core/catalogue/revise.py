"""For developers: ``python -m core.catalogue.revise "what changed"`` writes the next migration.

It compares the models with what the history gives on an empty SQLite file. Read what it wrote: a
rename looks like a removal and an addition to it.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from core.catalogue.open import alembic_config, engine_for, upgrade


def revise(message: str) -> None:
    """Write a migration from the head of the history to the models, numbered one higher."""
    with tempfile.TemporaryDirectory() as scratch:
        engine = engine_for(f"sqlite:///{Path(scratch) / 'catalogue.sqlite'}")
        with engine.begin() as connection:
            upgrade(connection)
            config = alembic_config(connection)
            head = ScriptDirectory.from_config(config).get_current_head() or "0000"
            number = f"{int(head) + 1:04d}"
            command.revision(config, message, autogenerate=True, rev_id=number)
        engine.dispose()


if __name__ == "__main__":
    revise(" ".join(sys.argv[1:]) or "change")
