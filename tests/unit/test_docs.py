"""The documents against the code. Run as a program, it writes the tables of settings anew."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, describe
from game import duels, errors
from game.disconnects import Disconnect
from game.duel_views import view_for
from handlers.catalogue import CATALOGUE
from server.metrics import Metrics
from tests.harness import ROOT

README, SETTINGS = ROOT / "README.md", ROOT / "docs" / "settings.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCS = {page.stem: page.read_text("utf-8") for page in PAGES}
ALERTS = (ROOT / "docs" / "alerts.yml").read_text("utf-8")
DASHBOARD = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text("utf-8"))
FOLDERS = (
    "config",
    "game",
    "state",
    "handlers",
    "jobs",
    "server",
    "bench",
    "loadtest",
    "scripts",
    "tests",
    "docs",
)

SETTING_ROW = re.compile(r"^\| `(SHOWDOWN_\w+)` \|.*$", re.MULTILINE)
SEED = "0123456789abcdef" * 4
NODE_SECONDS = 20


def page(name: str, title: str = "") -> str:
    """A document, or one section of it."""
    if not title:
        return DOCS[name]
    return re.split(r"^## ", DOCS[name].split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of a text's tables whose first cell is code, without its marks."""
    lines = (line for line in text.splitlines() if line.startswith("| `"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [[first.strip("`"), *rest] for first, *rest in cells]


# Settings


def settings_rows() -> dict[str, str]:
    """Every variable's row, with the defaults of the code whatever the environment says."""
    return {
        name: f"| `{name}` | {f'`{value}`' if value else ''} | {why} |"
        for name, value, why in describe(Settings.model_construct())
    }


def with_all_settings(text: str) -> str:
    """The page of all settings, its table made anew."""
    head, rule, _ = text.partition("| --- | --- | --- |\n")
    return head + rule + "\n".join(settings_rows().values()) + "\n"


def with_fresh_rows(text: str) -> str:
    """A page that shows some settings, its rows made anew."""
    known = settings_rows()
    return SETTING_ROW.sub(lambda row: known[row[1]], text)


def test_the_settings_of_the_documents_are_those_of_the_code() -> None:
    hint = "write the tables anew: .venv/bin/python -m tests.unit.test_docs"
    assert with_all_settings(DOCS["settings"]) == DOCS["settings"], hint
    assert with_fresh_rows(DOCS["README"]) == DOCS["README"], hint


def test_every_setting_that_is_mentioned_exists() -> None:
    known = {name.removeprefix("SHOWDOWN_") for name in settings_rows()}
    known |= {name + "__" for name in {name.partition("__")[0] for name in known}}
    for name, text in DOCS.items():
        full = re.findall(r"SHOWDOWN_(\w+)", text)
        short = re.findall(r"`([A-Z]+__[A-Z_]+)`", text)
        assert {*full, *short} <= known, name


# Places


def test_every_folder_of_the_house_is_in_the_layout() -> None:
    named = {path.rstrip("/") for path, *_ in rows(page("README", "Layout"))}
    assert all((ROOT / path).is_dir() for path in named)
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.iterdir())}
    hidden = {name for name in there if name.startswith((".", "__"))}
    assert there - hidden - {"node_modules"} == named


@pytest.mark.parametrize("file", PAGES, ids=lambda path: path.stem)
def test_every_file_that_is_mentioned_exists(file: Path) -> None:
    text = DOCS[file.stem]
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (file.parent / link).exists()] == []
    paths = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


# Protocol


def test_every_event_and_route_is_in_the_protocol_notes() -> None:
    asked = rows(page("protocol-notes", "Asking and being answered"))
    fields = {event: names.strip("`") for event, names, _ in asked}
    assert fields == {one.event: _fields(one.payload) for one in CATALOGUE.commands}
    routes = {call: answer for call, answer, *_ in rows(page("protocol-notes", "REST"))}
    assert routes.keys() == {f"{one.method} {one.path}" for one in CATALOGUE.routes}
    for one in CATALOGUE.routes:
        said = re.match(r"2\d\d", routes[f"{one.method} {one.path}"])
        assert one.status == int(said[0] if said else 200)


def _fields(payload: Any) -> str:
    fields = payload.model_fields.items()
    return ", ".join(name if one.is_required() else f"{name}?" for name, one in fields) or "none"


def test_every_event_that_the_server_sends_is_in_the_protocol_notes() -> None:
    files = [*(ROOT / "server").glob("*.py"), *(ROOT / "handlers").glob("*.py")]
    literal = re.compile(
        r'"((?:session|server|chat|presence|friends|duel|match|rating|wallet|blackjack|purchase|jobs'
        r'|webhook|withdrawal):\w+)"'
    )
    named = {name for file in files for name in literal.findall(file.read_text("utf-8"))}
    sent = {event for event, *_ in rows(page("protocol-notes", "What the server sends"))}
    asked = {one.event for one in CATALOGUE.commands}
    # One name goes both ways, and one has no feature in front.
    assert sent == (named - asked) | {"chat:typing", "notification"}
    assert sent == {one.name for one in CATALOGUE.events}


def test_every_code_is_in_the_protocol_notes() -> None:
    described = {code: more for code, *more in rows(page("protocol-notes", "Error codes"))}
    known = {
        one["code"]: [str(one["status"]), "yes" if one["retryable"] else "no"]
        for one in errors.table()
    }
    assert described == known
    ends = rows(page("protocol-notes", "Being disconnected"))
    said = {code: reconnect.strip("`") for code, reconnect, _ in ends}
    assert said == {code.value: str(code.reconnect).lower() for code in Disconnect}


# Operation


def families() -> dict[str, tuple[set[str], set[str]]]:
    """Each metric as the code names it: the names of its samples, and its labels."""
    metrics = Metrics()
    found = {}
    for instrument in (*vars(metrics).values(), *vars(metrics.jobs).values()):
        for family in instrument.describe() if hasattr(instrument, "describe") else ():
            name, endings = family.name, {"counter": ("_total",), "gauge": ("",)}
            ends = endings.get(family.type, ("_bucket", "_sum", "_count"))
            known = name + "_total" if family.type == "counter" else name
            found[known] = ({name + end for end in ends}, set(instrument._labelnames))
    return found


def expressions() -> Iterator[str]:
    """Every query of the dashboard and the alert rules."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["definition"] for one in DASHBOARD["templating"]["list"] if "definition" in one)
    yield from re.findall(r"^ +expr: (.+)$", ALERTS, re.MULTILINE)


def test_every_query_asks_for_metrics_and_labels_that_exist() -> None:
    known = families()
    for query in expressions():
        samples = re.findall(r"showdown_\w+", query)
        used = [name for name, (names, _) in known.items() if names & {*samples}]
        assert len(used) == len({*samples}) > 0, query
        labels = set().union(*(known[name][1] for name in used), {"instance", "le"})
        grouped = re.findall(r"by \(([^)]+)\)", query)
        asked = {name.strip() for names in grouped for name in names.split(",")}
        asked |= set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', query))
        assert asked <= labels, query


def test_every_metric_is_in_the_runbook_and_on_the_dashboard() -> None:
    known = families()
    described = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels, _ in rows(page("runbook", "Metrics"))
    }
    assert described == {name: labels for name, (_, labels) in known.items()}
    shown = set(re.findall(r"showdown_\w+", json.dumps(DASHBOARD["panels"])))
    assert [name for name, (samples, _) in known.items() if not samples & shown] == []


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_every_alert_is_in_the_runbook() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert [name for name, *_ in rows(page("runbook", "Alerts"))] == alerts
    assert len(re.findall(r"^ +expr: ", ALERTS, re.MULTILINE)) == len(alerts)


def test_every_readiness_check_is_in_the_runbook() -> None:
    files = (ROOT / "server").glob("*.py")
    call = re.compile(r'(?:health|self)\.(?:set|probe)\("(\w+)"')
    checks = {name for file in files for name in call.findall(file.read_text("utf-8"))}
    assert {name for name, *_ in rows(page("runbook", "Readiness checks"))} == checks


# The deal


def finished_duel() -> Any:
    """A duel as anybody sees it afterwards, played with holds of every length."""
    rules = duels.Rules()
    duel = duels.challenge("d" * 20, ("a" * 20, "ann"), ("b" * 20, "bob"), SEED, 0, rules)
    both = [fighter.id for fighter in duel.fighters]
    duel = duels.accept(duel, both[1], dict.fromkeys(both, True), 1)
    while duel.status == "active":
        for seat, player in enumerate(both):
            hold = [] if seat else list(range(duel.round % 6))
            duel = duels.play(duel, player, duel.round, hold, 2)
    return view_for(duel, None)


def replayed(view: Any, folder: Path) -> str:
    """What the program of docs/duels.md says about a duel."""
    (code,) = re.findall(r"```js\n(.*?)```", DOCS["duels"], re.DOTALL)
    (folder / "replay.mjs").write_text(code)
    node = shutil.which("node")
    assert node, "scripts/test brings Node along"
    done = subprocess.run(
        [node, "replay.mjs"],
        cwd=folder,
        input=json.dumps(view),
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.js
def test_anybody_can_replay_a_duel_in_javascript(tmp_path: Path) -> None:
    view = finished_duel()
    assert replayed(view, tmp_path) == "as committed"
    another_seed = {**view, "seed": SEED[::-1]}
    assert replayed(another_seed, tmp_path) == "NOT AS COMMITTED"
    hand = view["rounds"][-1]["hands"]["b" * 20]
    hand[0], hand[1] = hand[1], hand[0]
    assert replayed(view, tmp_path) == "NOT AS COMMITTED"


def test_the_changelog_keeps_its_form() -> None:
    titles = re.findall(r"^## (.+)$", DOCS["CHANGELOG"], re.MULTILINE)
    assert titles[0] == "[Unreleased]"
    kinds = re.findall(r"^### (.+)$", DOCS["CHANGELOG"], re.MULTILINE)
    assert {*kinds} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


if __name__ == "__main__":
    SETTINGS.write_text(with_all_settings(DOCS["settings"]), "utf-8")
    README.write_text(with_fresh_rows(DOCS["README"]), "utf-8")


def test_every_ratio_of_the_front_door_was_measured() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.partition("## Measured")[2].partition("\n## ")[0]
    shown = re.findall(r"\d+\.\d+", " ".join(re.findall(r"\| ([^|]+) \|$", table, re.MULTILINE)))
    measured = re.findall(r"\*\*(\d+\.\d+)\*\*", (ROOT / "docs/benchmarks.md").read_text("utf-8"))
    assert shown
    assert set(shown) <= set(measured)
