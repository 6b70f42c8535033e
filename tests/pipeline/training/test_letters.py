from pipeline.training.letters import LETTERS


def test_letters_fill_their_box_and_no_two_are_alike():
    shapes = set()
    for strokes in LETTERS:
        points = [point for stroke in strokes for point in stroke.points.tolist()]
        assert all(len(stroke.points) > 1 for stroke in strokes)
        assert all(0 <= coordinate <= 1 for point in points for coordinate in point)
        height = max(y for _, y in points) - min(y for _, y in points)
        assert height > 0.6
        shapes.add(str(strokes))
    assert len(shapes) == len(LETTERS)
