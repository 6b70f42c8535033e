"""Decisions that leave for Label Studio and come from it, and from edited tables."""

import base64
import csv
import json
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from pipeline import load_settings, score
from pipeline.review import kept_images
from pipeline.review.decision_file import DecisionFile


@pytest.fixture
def tasks_of(tmp_path):
    return lambda: json.loads((tmp_path / "tasks.json").read_text())


def answered(task, choice, number, **others):
    """A task as Label Studio exports it when somebody has chosen."""
    result = {"from_name": "digit", "to_name": "image", "type": "choices", "id": f"r{number}"}
    annotation = {
        "id": number,
        "created_at": f"2026-11-26T09:{number:02}:00.000000Z",
        "updated_at": f"2026-11-26T09:{number:02}:30.000000Z",
        "completed_by": {"id": 1, "email": "ann@example.org"},
        "was_cancelled": False,
        "result": [{**result, "value": {"choices": [choice]}}] if choice else [],
        **others,
    }
    return {**task, "id": number, "annotations": [annotation]}


def standing():
    return DecisionFile(load_settings().reviews).refresh()


def test_the_queue_goes_to_label_studio_and_comes_back(scored, digits, tmp_path, tasks_of):
    directory, labels = scored
    target = tmp_path / "tasks.json"
    ended = digits("reviews", "export", target, "--scores", directory, "--count", "8")
    assert ended.status == 0, ended.err
    assert "8 tasks in" in ended.out
    tasks = tasks_of()
    assert len(tasks) == 8
    for task in tasks:
        data = task["data"]
        png = base64.b64decode(data["image"].removeprefix("data:image/png;base64,"))
        pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert kept_images.digest(pixels) == data["sha256"]
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "mnist/1"
        assert 0 < prediction["score"] <= 1
    # What the tasks name is in the labelling interface.
    view = ET.parse(tmp_path / "tasks.xml").getroot()
    choices = {choice.get("value") for choice in view.iter("Choice")}
    assert choices == {*"0123456789", "no digit"}
    result = tasks[0]["predictions"][0]["result"][0]
    assert view.find("Choices").get("name") == result["from_name"]
    assert view.find("Image").get("name") == result["to_name"]
    assert result["value"]["choices"][0] in choices

    answers = [labels[task["data"]["path"]] for task in tasks]
    exported = [
        answered(task, answer, number)
        for number, (task, answer) in enumerate(zip(tasks, answers, strict=True))
    ]
    exported[0] = answered(tasks[0], "no digit", 0)
    exported[1] = answered(tasks[1], None, 1, was_cancelled=True)
    exported[2] = answered(tasks[2], None, 2)
    (tmp_path / "export.json").write_text(json.dumps(exported))
    ended = digits("reviews", "import", tmp_path / "export.json")
    assert ended.out.splitlines() == [
        "7 decisions added.",
        "       1  left out: no choice of a digit",
    ]
    expected = {task["data"]["sha256"]: answer for task, answer in zip(tasks, answers, strict=True)}
    expected[tasks[0]["data"]["sha256"]] = "n"
    for skipped in tasks[1:3]:
        del expected[skipped["data"]["sha256"]]
    found = {sha256: each.decision for sha256, each in standing().verdicts().items()}
    assert found == expected
    assert standing().by_reviewer() == {"label-studio:ann@example.org": 6}

    ended = digits("reviews", "import", tmp_path / "export.json")
    assert "0 decisions added" in ended.out
    assert len(standing().decisions) == 7


def test_what_is_decided_goes_out_and_adds_nothing_when_it_comes_back(
    scored, digits, open_queue, decide, tmp_path, tasks_of
):
    directory, labels = scored
    queue = open_queue(directory)
    for item in queue.take("a", "ann", 5):
        decide(queue, item, labels[item.path])
    assert "5 tasks" in digits("reviews", "export", tmp_path / "tasks.json").out
    tasks = tasks_of()
    for task in tasks:
        (annotation,) = task["annotations"]
        assert annotation["result"][0]["value"]["choices"] == [labels[task["data"]["path"]]]
    ended = digits("reviews", "import", tmp_path / "tasks.json")
    assert ended.out.splitlines() == [
        "0 decisions added.",
        "       5  left out: as decided already",
    ]
    # In another home, where no image is kept, the tasks bring them along.
    for each in load_settings().reviews.rglob("*.*"):
        if each.is_file():
            each.unlink()
    assert "5 decisions added" in digits("reviews", "import", tmp_path / "tasks.json").out
    assert all(
        kept_images.load(load_settings().reviews, sha256).shape == (28, 28)
        for sha256 in standing().verdicts()
    )


@pytest.mark.parametrize(
    "content", ["", "{", "7", '{"a": 1}', "[1]", '[{"id": 1, "annotations": [{}]}]']
)
def test_what_is_no_export_is_refused(home, digits, tmp_path, content):
    (tmp_path / "export.json").write_text(content)
    ended = digits("reviews", "import", tmp_path / "export.json")
    assert ended.status == 2
    assert "Expected tasks as Label Studio exports them" in ended.err


def test_images_that_nobody_has_are_left_out(home, digits, tmp_path):
    for data in (
        {"sha256": "0" * 64},
        {"image": "https://example.org/1.png"},
        {"image": "data:image/png;base64,AAAA"},
        {"image": "data:image/png;base64,!"},
        {"sha256": "../../etc"},
    ):
        (tmp_path / "export.json").write_text(json.dumps([answered({"data": data}, "7", 1)]))
        ended = digits("reviews", "import", tmp_path / "export.json")
        assert "left out: no image that is kept" in ended.out
    assert not standing().decisions


def test_an_edited_review_csv_is_taken(scored, digits, retrained, tmp_path):
    directory, labels = scored
    score(tmp_path / "scans", directory, min_confidence=0.9)
    table = directory / "review.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 10
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["path", "label"], extrasaction="ignore")
        writer.writeheader()
        for number, row in enumerate(rows):
            label = labels[row["path"]] if number < 10 else ""
            writer.writerow({"path": row["path"], "label": label})
    ended = digits("reviews", "import", table, "--reviewer", "bob")
    assert ended.out.startswith("10 decisions added.")
    verdicts = standing().verdicts().values()
    expected = {row["path"]: labels[row["path"]] for row in rows[:10]}
    assert {each.path: each.decision for each in verdicts} == expected
    assert "0 decisions added" in digits("reviews", "import", table).out
    ended = digits("reviews")
    assert "10 decided images, 0 of them no digit." in ended.out
    assert "bob" in ended.out
    shown = json.loads(digits("reviews", "--json").out)
    assert shown["images"] == sum(shown["digits"].values()) == shown["reviewers"]["bob"] == 10
