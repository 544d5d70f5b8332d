"""`handoff doctor`: is everything here that the commands need?"""

import argparse
import dataclasses
import json

from app.page import Page, add_command, add_json

PAGE = Page(
    name="doctor",
    summary="what is installed, what is missing, and the command that cures it",
    about="Looks at Python, the packages of every extra, video and graphics libraries, the hand "
    "model, a browser and the free disk. Exit code 1 when something the core needs is "
    "missing.",
    examples=("handoff doctor", "handoff doctor --json"),
    writes=("nothing",),
    then=("run the cures it prints, then: handoff sim record demo",),
)
SIGNS = {"ok": "✓", "missing": "✗", "optional": "·"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from app.doctor import examine

    checks = examine()
    failing = [check for check in checks if check.state == "missing"]
    if arguments.json:
        found = [dataclasses.asdict(check) for check in checks]
        print(json.dumps({"ok": not failing, "checks": found}, indent=2))
        return 1 if failing else 0
    part = ""
    for check in sorted(checks, key=lambda c: (c.part != "machine", c.part != "core", c.part)):
        if check.part != part:
            part = check.part
            print(f"\n{part}")
        print(f"  {SIGNS[check.state]} {check.name:<24} {check.found}")
        if check.cure:
            print(f"      for {check.purpose or 'everything'}\n      cure: {check.cure}")
    absent = sum(check.state == "optional" for check in checks)
    verdict = f"{len(failing)} missing" if failing else "ready"
    print(f"\n{verdict}" + (f"; optional and not here: {absent}" if absent else ""))
    return 1 if failing else 0
