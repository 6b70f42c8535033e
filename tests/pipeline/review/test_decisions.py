"""What decisions come to, and the file that keeps them."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import files
from pipeline.review.decision_file import FILE_NAME, DecisionFile
from pipeline.review.decisions import SKIP, UNDO, Decision, Standing, new_id, now

A, B, C = ("abc"[n] * 64 for n in range(3))


def decision(sha256=A, answer="7", reviewer="ann", **others):
    others = {"id": new_id(), "time": now(), **others}
    return Decision(sha256=sha256, decision=answer, reviewer=reviewer, **others)


def undo(of, **others):
    return decision(of.sha256, UNDO, of.reviewer, undoes=of.id, **others)


def test_the_last_decision_counts():
    standing = Standing()
    for each in (decision(A, "1"), decision(B, "n"), decision(A, "2", "bob"), decision(A, SKIP)):
        standing.add(each)
    assert {sha: verdict.decision for sha, verdict in standing.verdicts().items()} == {
        A: "2",
        B: "n",
    }
    assert standing.by_reviewer() == {"bob": 1, "ann": 1}
    assert standing.is_skipped(A, "ann")
    assert not standing.is_skipped(A, "bob")


answers = st.sampled_from(["0", "7", "n", SKIP])
steps = st.lists(
    st.tuples(st.sampled_from([A, B, C]), st.sampled_from(["ann", "bob"]), answers | st.just(UNDO))
)


@given(steps, st.integers(1, 3))
def test_an_undo_is_as_if_the_decision_had_not_been_made(sequence, times):
    """However often a line is repeated."""
    standing, made = Standing(), []
    for sha256, reviewer, answer in sequence:
        if answer == UNDO:
            last = standing.last_of(reviewer)
            assert last == next(
                (each for each in reversed(made) if each.reviewer == reviewer), None
            )
            if last is None:
                continue
            made.remove(last)
            line = undo(last)
        else:
            line = decision(sha256, answer, reviewer)
            made.append(line)
        for _ in range(times):
            standing.add(line)
    expected = {each.sha256: each for each in made if each.decision != SKIP}
    assert standing.verdicts() == expected


@given(
    st.builds(
        decision,
        sha256=st.sampled_from([A, B]),
        answer=answers,
        reviewer=st.text(min_size=1, max_size=20),
        path=st.text(max_size=30),
        prediction=st.none() | st.integers(0, 9),
        confidence=st.none() | st.floats(0, 1),
    )
)
def test_a_line_is_the_decision(made):
    line = made.as_line()
    assert line.count(b"\n") == 1
    assert Decision.from_json(json.loads(line)) == made


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b'{"id": "1"}',
        decision().as_line().replace(b'"7"', b'"10"'),
        decision().as_line().replace(b'"7"', b"7"),
        decision().as_line().replace(b"aaa", b"AAA"),
        decision(undoes="1").as_line(),
        decision(answer="undo").as_line(),
        b"\x00" * 40,
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_none_is_left_out_and_told(tmp_path, line, caplog):
    first, last = decision(A, "1"), decision(B, "2")
    content = first.as_line() + line.rstrip(b"\n") + b"\n" + last.as_line()
    (tmp_path / FILE_NAME).write_bytes(content)
    standing = DecisionFile(tmp_path).refresh()
    assert standing.decisions == [first, last]
    assert ("line 2 is left out" in caplog.text) == bool(line)


@given(st.data())
def test_what_was_saved_survives_a_line_cut_anywhere(tmp_path_factory, data):
    """A process was killed while it wrote the third line; the next one goes on."""
    directory = tmp_path_factory.mktemp("reviews")
    made = [decision(A, "1"), decision(B, "2"), decision(C, "3"), decision(A, "4")]
    file = DecisionFile(directory)
    file.append(made[:2])
    torn = made[2].as_line()
    cut = data.draw(st.integers(0, len(torn) - 1))
    with (directory / FILE_NAME).open("ab") as stream:
        stream.write(torn[:cut])
    assert file.refresh().decisions == made[:2]
    DecisionFile(directory).append([made[3]])
    # A line that lacked only its end is whole now; nobody was told that it was not saved.
    saved = [*made[:2], *(made[2:3] if cut == len(torn) - 1 else []), made[3]]
    assert file.refresh().decisions == saved
    assert DecisionFile(directory).refresh().decisions == saved


def test_a_decision_that_is_sent_again_is_one_line(tmp_path):
    made = decision()
    file, other = DecisionFile(tmp_path), DecisionFile(tmp_path)
    file.append([made])
    other.append([made])
    file.append([made, made])
    assert (tmp_path / FILE_NAME).read_bytes() == made.as_line()


def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path):
    file = DecisionFile(tmp_path)
    file.append([decision(A), decision(B)])
    other = decision(C)
    with files.atomic_write(tmp_path / FILE_NAME) as temporary:
        temporary.write_bytes(other.as_line())
    assert file.refresh().decisions == [other]
    (tmp_path / FILE_NAME).unlink()
    assert file.refresh().decisions == []


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    """The limit of the file's size stands for the disk: the last line has no room."""
    script = """
import json, resource, signal, sys
from pathlib import Path
from pipeline.errors import OutputError
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import Decision
directory = Path(sys.argv[1])
made = [Decision(str(n), "a" * 64, "7", "ann", "t") for n in range(3)]
file = DecisionFile(directory)
file.append(made[:2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = len(made[0].as_line()) * 2 + 30
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    file.append(made[2:])
except OutputError as error:
    print(error)
assert len(file.refresh().decisions) == 2
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    assert "the decision is not saved (File too large)" in ran.stdout
    assert (tmp_path / FILE_NAME).read_bytes().count(b"\n") == 2


_WRITER = """
import os, sys
from pathlib import Path
from pipeline import files
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import Decision
directory, name = Path(sys.argv[1]), sys.argv[2]
file = DecisionFile(directory)
for number in range(10_000):
    with files.locked(directory):
        file.append([Decision(f"{name}-{number}", "a" * 64, "7", name, "t" * 2_000)])
    os.write(1, b"%d\\n" % number)
"""


def test_killed_writers_lose_nothing_that_they_said_was_saved(tmp_path, torture, measured):
    """Two at once, killed again and again."""
    said: dict[str, int] = {}
    rounds = 20 if torture else 1
    for number in range(rounds):
        writers = {
            f"{number}{who}": subprocess.Popen(
                [sys.executable, "-c", _WRITER, tmp_path, f"{number}{who}"], stdout=subprocess.PIPE
            )
            for who in "ab"
        }
        for name, writer in writers.items():
            for _ in range(3 + number):
                said[name] = int(writer.stdout.readline())
        for name, writer in writers.items():
            writer.kill()
            for line in writer.stdout.read().split():
                said[name] = int(line)
            writer.wait()
            writer.stdout.close()
    standing = DecisionFile(tmp_path).refresh()
    for name, last in said.items():
        assert all(standing.get(f"{name}-{number}") for number in range(last + 1))
    measured(f"decisions: {len(standing.decisions)} saved, {2 * rounds} writers killed, 0 lost")
