"""An option that has no effect in a combination is an error: nothing is passed over silently."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("score a.png --explain --json", "--json has no effect with --explain"),
        ("score a.png --explain -m 7 --force", "--model, --force have no effect with --explain"),
        ("score a.png --explain --dry-run", "--dry-run has no effect with --explain"),
        ("score a.png --normalize never --ink dark", "--ink has no effect with --normalize never"),
        ("predict a.png --normalize never --ink dark", "--ink has no effect with --normalize"),
        ("retrain --labels folders", "--labels has no effect without --labelled"),
        ("retrain --labels folders --labelled reviews", "--labels has no effect with the reviews"),
        ("serve --every 5", "--every has no effect without --inbox"),
        ("serve --shadow challenger", "--shadow has no effect without --inbox"),
        ("versions --json --format csv", "--format has no effect with --json"),
        ("card 1 --force", "--force has no effect without --output"),
        ("export 1 - --json", "--json has no effect with FILE -"),
        ("export 1 - --format onnx", "expected a file for --format onnx, got -"),
        ("reviews --json export tasks.json", "--json has no effect before export"),
        ("reviews export tasks.json --count 5", "--count has no effect without --scores"),
        ("reviews import a.json --reviewer ann", "--reviewer has no effect with what Label Studio"),
        ("ui --key key.pem", "--key has no effect without --certificate"),
    ],
)
def test_an_option_without_effect_is_refused(
    digits, home, tmp_path, monkeypatch, arguments, problem
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "a.json").write_text("[]")
    ended = digits(*arguments.split())
    assert ended.status == 2
    assert problem in ended.err
    assert {path.name for path in tmp_path.iterdir()} <= {"home", "a.json"}


@pytest.mark.parametrize(
    "arguments",
    ["versions --json --format json", "versions --format csv", "reviews --json"],
)
def test_an_option_with_an_effect_is_not(digits, retrained, arguments):
    assert digits(*arguments.split()).status == 0
