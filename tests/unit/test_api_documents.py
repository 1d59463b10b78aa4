"""The API documents by themselves: valid, current, complete, with true examples."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from game import errors
from handlers.catalogue import CATALOGUE
from scripts._docs import generated
from server.documents.pages import WEB
from server.documents.refusals import described
from server.documents.schemas import answer_of
from tests.documented import Contract, Judge, closed
from tests.harness import ROOT

SECONDS = 110.0  # below the bound of a test: Node and its parser want a processor for ten


@pytest.fixture(scope="module")
def documents() -> Contract:
    """Both of them, with the settings' defaults."""
    return Contract()


def run(*command: str) -> str:
    """What a program of Node's says."""
    node = shutil.which("node")
    assert node, "scripts/test brings Node along"
    done = subprocess.run(
        [node, *command], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.js
def test_the_generated_files_are_current() -> None:
    for path, text in generated().items():
        written = (ROOT / path).read_text("utf-8")
        assert written == text, f"{path} is not current: run scripts/docs"


def test_the_validator_of_openapi_finds_nothing(documents: Contract) -> None:
    assert list(OpenAPIV31SpecValidator(documents.rest.document).iter_errors()) == []


@pytest.mark.js
@pytest.mark.slow
def test_the_parser_of_asyncapi_finds_nothing(documents: Contract) -> None:
    said = json.loads(run("tests/unit/validate_asyncapi.mjs", "docs/api/asyncapi.json"))
    assert said == {"operations": len(documents.live.document["operations"]), "found": []}


def examples(documents: Contract) -> Iterator[tuple[Judge, str, dict[str, Any], Any]]:
    """Every example: by whom it is judged, its name, its schema, itself."""
    for key, message in documents.live.document["components"]["messages"].items():
        for number, one in enumerate(message["examples"]):
            schema = message["payload"]
            if "oneOf" in schema:
                schema = schema["oneOf"][number]
            yield documents.live, f"{key} {number}", schema, one["payload"]
    shared = documents.rest.document["components"]["examples"]
    for path, methods in documents.rest.document["paths"].items():
        for operation in methods.values():
            said = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for name, part in said.items():
                for content in part.get("content", {}).values():
                    for reference in content.get("examples", {}):
                        key = f"{path} {name} {content['schema']}"
                        yield documents.rest, key, content["schema"], shared[reference]["value"]
                    if "example" in content:
                        key = f"{path} {operation['operationId']} {name}"
                        yield documents.rest, key, content["schema"], content["example"]


def test_every_example_is_as_its_schema_says(documents: Contract) -> None:
    """A field whose example is not: give it a sample in server/documents/examples.py."""
    judged = 0
    for judge, key, schema, example in examples(documents):
        judged += 1
        assert judge.problems(f"example of {key}", schema, example) == []
    assert judged > 100


def test_everything_that_can_be_asked_says_what_it_does_and_answers() -> None:
    handlers: list[Any] = [*CATALOGUE.commands, *CATALOGUE.routes]
    for one in handlers:
        summary, _, refusals = described(one.handler)
        assert summary.endswith("."), one.handler
        assert (one.handler.__doc__ or "").count("Raises:") == bool(refusals), one.handler
        assert answer_of(one.handler) is not Any, one.handler
    for event in CATALOGUE.events:
        assert event.summary.endswith("."), event


def test_every_type_and_every_code_is_described(documents: Contract) -> None:
    codes = {error.code for error in errors.GameError.__subclasses__()}
    for judge in (documents.live, documents.rest):
        for name, schema in judge.document["components"]["schemas"].items():
            assert schema.get("description"), name
        assert {row["code"] for row in judge.document["x-errors"]} == codes
    assert set(documents.rest.document["components"]["examples"]) == codes


def test_both_documents_mean_the_same_by_a_name(documents: Contract) -> None:
    live, rest = (one.document["components"]["schemas"] for one in (documents.live, documents.rest))
    for name in live.keys() & rest.keys():
        assert live[name] == rest[name], name


def test_a_judge_allows_no_field_that_is_not_documented() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}}
    assert closed(schema)["additionalProperties"] is False


def read(folder: Path, documents: Contract, words: str = "") -> dict[str, Any]:
    """What there is to be seen at /docs."""
    copy = shutil.copytree(WEB, folder / "docs")
    (copy / "package.json").write_text('{"type": "module"}')  # as browsers take them
    files = []
    for name, judge in (("rest", documents.rest), ("live", documents.live)):
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(judge.document))
    said = run("tests/unit/read_docs.mjs", str(copy), *map(str, files), words)
    seen: dict[str, Any] = json.loads(said)
    return seen


@pytest.mark.js
def test_the_page_shows_all_of_both_documents(documents: Contract, tmp_path: Path) -> None:
    seen = read(tmp_path, documents, "duel:play not_your_turn")
    live, rest = documents.live.document, documents.rest.document
    calls = [one["operationId"] for methods in rest["paths"].values() for one in methods.values()]
    assert set(seen["articles"]) == {
        *(f"call-{name}" for name in calls),
        *(f"event-{key}" for key in live["operations"]),
        *(f"type-{name}" for one in (live, rest) for name in one["components"]["schemas"]),
    }
    assert (seen["twice"], seen["dangling"], seen["foreign"]) == ([], [], [])
    for word in ("SHOWDOWN_LIMITS__CHAT_CHARS", "not_your_turn", "To everybody in the room"):
        assert word in seen["text"]
    assert seen["shown"] == ["event-duel.play"]
    assert seen["found"] == f"1 of {len(seen['articles'])}"


@pytest.mark.js
def test_the_page_takes_no_text_for_html(documents: Contract, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)> [here](javascript:alert(1)) `<script>`"
    wicked = Contract()
    wicked.live.document["operations"]["chat.send"]["summary"] = hostile
    wicked.rest.document["components"]["schemas"]["Guest"]["description"] = hostile
    seen = read(tmp_path, wicked)
    assert (seen["images"], seen["handlers"]) == (0, 0)
    assert seen["text"].count("<img src=x onerror=alert(1)> [here](javascript:alert(1))") == 2
