"""Writes `schemas/generated/`, or checks that it is current: `python -m trueup_schemas.generate [--check]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trueup_schemas.asyncapi import document
from trueup_schemas.json_schema import event_schema
from trueup_schemas.topics import TOPICS

GENERATED = Path(__file__).parent.parent / "generated"


def files() -> dict[str, str]:
    """Name and text of every generated file. The same models, the same text."""
    texts = {
        f"{topic.name}.schema.json": _text(event_schema(topic)) for topic in TOPICS.values() if topic.value is not None
    }
    texts["asyncapi.json"] = _text(document())
    return texts


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path) -> list[str]:
    """One line for each file that is missing, differs from what the models say, or belongs to no model any more."""
    lines = []
    texts = files()
    for name, text in texts.items():
        path = folder / name
        if not path.exists():
            lines.append(f"{path}: is missing")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"{path}: is not what the models say")
    lines += [f"{path}: belongs to no topic" for path in sorted(folder.glob("*.json")) if path.name not in texts]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or check them. Returns the exit code: 1 where `--check` finds one that is not current."""
    parser = argparse.ArgumentParser(prog="python -m trueup_schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is not current")
    parser.add_argument("--into", type=Path, default=GENERATED, help="the folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder: Path = options.into
    if options.check:
        lines = stale(folder)
        for line in lines:
            print(f"{line} (mend: python -m trueup_schemas.generate)", file=sys.stderr)
        return 1 if lines else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
