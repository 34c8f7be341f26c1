"""The pages point at things that exist, and say of the topics what the table of the topics says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trueup_schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")]
)
RECORDS = sorted((ROOT / "docs/adr").glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    """Paths from the root of the repository, in code; others (`workers/setups.py`) lie in services/trueup."""
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|toml|yml|json))`", (ROOT / page).read_text())
    places = (ROOT, ROOT / "services/trueup")
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def test_the_records_of_decisions_are_numbered_without_a_gap() -> None:
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_context_decision_and_consequence_on_one_page(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_the_design_lists_every_record(record: Path) -> None:
    assert f"- [{record.name[:4]}](adr/{record.name}): " in (ROOT / "docs/design.md").read_text()


def test_the_topics_of_the_design_are_those_of_the_schemas() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| ([\w ]+) \| ([\w, ]+) \|", (ROOT / "docs/design.md").read_text(), flags=re.MULTILINE
    )
    told = {name: (key, kind) for name, key, kind in rows}
    assert set(told) == set(TOPICS)
    for topic in TOPICS.values():
        key, kind = told[topic.name]
        assert kind == (f"{topic.direction}, compacted" if topic.retention == "compacted" else topic.direction)
        assert key == {"original key": "as it came"}.get(topic.key, topic.key)
