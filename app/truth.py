"""A synthetic recording's truth goes along into its session, where evaluate and report find it."""

import shutil
from pathlib import Path

from core.session.layout import TRUTH, under
from core.session.storage import SessionFolder, storage_errors


def carry_truth(source: Path, folder: SessionFolder) -> int:
    """Copy every file below ``source/truth`` to the session's truth/; gives how many there are.

    Nothing happens for recordings without truth. No stage reads these files.
    """
    root = source / TRUTH
    files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else []
    for path in files:
        target = under(TRUTH, path.relative_to(root).as_posix())
        if folder.exists(target):
            continue
        with storage_errors("copy", str(path)), folder.atomic_path(target) as partial:
            shutil.copyfile(path, partial)
    return len(files)
