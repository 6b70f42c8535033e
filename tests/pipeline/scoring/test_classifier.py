"""`Classifier` does to an image what `score` does, whatever the image is given as."""

import io
from pathlib import Path

import mnist_sample
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_sample import SAMPLE
from scans import scan

from nn import NeuralNetwork
from pipeline import Classifier, open_registry, score
from pipeline.errors import InputError, InvalidParameterError
from pipeline.images.encoding import png
from pipeline.images.sheets import sheet_of
from pipeline.metrics.confidence import softened
from pipeline.training.novelty import fit_novelty
from registry import Check, NotFoundError, RunRecord

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.train)


@pytest.fixture(scope="module")
def weights():
    network = NeuralNetwork((784, 64, 10), activation="relu", epochs=8, seed=1)
    network.fit(IMAGES[:400], LABELS[:400])
    fit_novelty(network, IMAGES[:300], IMAGES[300:400]).attach(network)
    return network.to_bytes()


@pytest.fixture
def champion(home, weights):
    passed = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
    with open_registry() as registry:
        registry.register("mnist", weights, RunRecord(gate=passed))
        return registry.set_alias("mnist", "champion", 1)


@pytest.fixture(scope="module")
def classifier(weights):
    return Classifier(NeuralNetwork.from_bytes(weights))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Scans, a drawing of MNIST's, an empty sheet, a cut file, and one that is no image."""
    rng = np.random.default_rng(0)
    directory = tmp_path_factory.mktemp("scans")
    for number, image in enumerate(IMAGES[:40]):
        (directory / f"{number:03}.jpg").write_bytes(scan(image, rng))
    (directory / "040.png").write_bytes(png(IMAGES[40]))
    (directory / "041.png").write_bytes(png(np.full((50, 60), 255, np.uint8)))
    (directory / "042.png").write_bytes(png(IMAGES[42])[:-20])
    (directory / "043.png").write_bytes(b"no image")
    return directory


def _scored(directory, output, **options):
    table = score(directory, output, probabilities=True, **options).path
    return pq.read_table(table).to_pylist()


@pytest.mark.parametrize("reject", [None, 0.5])
def test_a_batch_is_read_as_scoring_reads_it(champion, scans, tmp_path, reject):
    """To the last bit, notes and reasons included."""
    classifier = Classifier.load(reject=reject)
    rows = _scored(scans, tmp_path / "out", reject=reject)
    read = classifier.read(sorted(scans.iterdir()))
    assert len(read) == len(rows) == 44
    for prediction, row in zip(read, rows, strict=True):
        assert prediction.digit == row["prediction"]
        assert prediction.confidence == row["confidence"]
        assert prediction.novelty == row["novelty"]
        assert prediction.reason == row["error"]
        assert prediction.notes == row["notes"]
        if prediction.digit is not None:
            assert prediction.probabilities.tolist() == row["probabilities"]
    assert {row["error"] for row in rows} > {None, "blank image", "truncated image"}


def test_one_at_a_time_scans_are_read_as_together(classifier, scans):
    paths = sorted(scans.iterdir())
    together = classifier.read(paths)
    for path, expected in zip(paths, together, strict=True):
        alone = classifier.read(path)
        assert (alone.digit, alone.reason) == (expected.digit, expected.reason)
        assert alone.confidence == pytest.approx(expected.confidence, abs=1e-5)


def test_the_network_alone_reads_scans_far_worse(classifier, scans):
    """The images are normalized: a scan made small by itself is not enough."""
    paths = sorted(scans.iterdir())[:40]
    small = [PIL.Image.open(path).convert("L").resize((28, 28)) for path in paths]
    naive = classifier.network.predict(np.array([np.asarray(image) for image in small]))
    truth = LABELS[:40]
    assert (classifier.predict(paths) == truth).mean() > 0.8
    assert (naive == truth).mean() < 0.4


def test_the_image_is_the_one_that_the_network_saw(classifier, scans):
    prediction = classifier.read(scans / "000.jpg")
    assert prediction.image.shape == (28, 28)
    network = classifier.network
    probabilities = network.predict_proba(prediction.image[np.newaxis])
    less_sure = softened(probabilities, np.ones(1, bool))[0]
    assert less_sure == pytest.approx(prediction.probabilities)
    assert prediction.confidence < probabilities.max()
    assert classifier.read(scans / "043.png").image is None


def test_an_image_like_mnist_s_gets_the_confidence_of_the_network(classifier, scans):
    prediction = classifier.read(scans / "040.png")
    probabilities = classifier.network.predict_proba(IMAGES[40][np.newaxis])[0]
    assert (prediction.probabilities == probabilities).all()


def test_one_image_gives_one_digit_and_several_give_an_array(classifier, scans):
    path = scans / "000.jpg"
    digit = classifier.predict(path)
    assert type(digit) is int
    assert classifier.predict_proba(path).shape == (10,)
    assert classifier.predict([path]).tolist() == [digit]
    assert classifier.predict((path, str(path))).tolist() == [digit] * 2
    assert classifier.predict_proba([path]).shape == (1, 10)
    assert classifier.predict([]).shape == (0,)
    assert classifier.predict_proba([]).shape == (0, 10)
    assert classifier.read([]) == []


def test_an_array_of_several_images_is_a_list_of_them(classifier):
    several = classifier.predict_proba(IMAGES[:5])
    assert several.tolist() == classifier.predict_proba(list(IMAGES[:5])).tolist()
    assert classifier.predict(IMAGES[0]) == several[0].argmax()


def _forms(image):
    """The same grey image, given in every way."""
    yield image
    yield image / 255
    yield image.astype(np.float64)
    yield image.astype(np.int64)
    yield image.astype(np.uint16) * 257
    yield np.dstack([image] * 3)
    yield image[:, :, np.newaxis]
    yield np.dstack([image, np.full_like(image, 255)])
    yield np.dstack([*[image] * 3, np.full_like(image, 255)])
    yield png(image)
    yield bytearray(png(image))
    yield PIL.Image.fromarray(image)
    yield PIL.Image.fromarray(image).convert("RGB")
    yield PIL.Image.fromarray(image).convert("RGBA")
    yield PIL.Image.open(io.BytesIO(png(image)))


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(2, 40), st.integers(2, 40))).filter(
        # Without white, 16 bits cannot be told from 8.
        lambda image: image.max() > 1
    )
)
def test_the_form_of_an_image_changes_nothing(image):
    for form in _forms(image):
        assert np.array_equal(sheet_of(form), image), type(form)


def test_colours_are_read_as_those_of_a_file(tmp_path):
    rng = np.random.default_rng(1)
    for mode, channels in (("RGB", 3), ("RGBA", 4), ("LA", 2)):
        pixels = rng.integers(0, 256, (9, 7, channels), np.uint8)
        image = PIL.Image.fromarray(pixels, mode)
        image.save(tmp_path / "a.png")
        expected = sheet_of(tmp_path / "a.png")
        assert np.array_equal(sheet_of(image), expected)
        assert np.array_equal(sheet_of(pixels), expected)


@pytest.mark.parametrize("mode", ["1", "P", "PA", "I", "F", "CMYK", "YCbCr", "HSV"])
def test_every_mode_of_pillow_is_read(mode):
    image = PIL.Image.fromarray(IMAGES[0])
    if mode in {"PA", "CMYK", "YCbCr", "HSV"}:
        image = image.convert("RGB")
    if mode == "PA":
        image = image.convert("P")
    sheet = sheet_of(image.convert(mode))
    assert sheet.shape == (28, 28)
    # Two colours are all that mode "1" has.
    assert np.corrcoef(sheet.ravel(), IMAGES[0].ravel())[0, 1] > 0.9


def test_an_image_of_pillow_is_turned_as_its_file_says(tmp_path):
    image = PIL.Image.fromarray(IMAGES[0])
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif, quality=100)
    turned = sheet_of(PIL.Image.open(tmp_path / "a.jpg"))
    assert np.abs(turned.astype(int) - sheet_of(tmp_path / "a.jpg")).max() <= 2
    assert np.abs(turned.astype(int) - np.rot90(IMAGES[0], -1)).max() < 60


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 3, 9, 3)), r"got \(3, 3, 9, 3\)"),
        (np.zeros(784), r"got \(784,\)"),
        (np.zeros((0, 9)), r"got \(0, 9\)"),
        (np.full((9, 9), -1.0), r"got -1 to -1 \(float64\)"),
        (np.full((9, 9), 1000.0), r"got 1000 to 1000 \(float64\)"),
        (np.full((9, 9), np.nan), r"got nan to nan"),
        (np.full((9, 9), "a"), r"got <U1"),
    ],
)
def test_an_array_that_is_no_image_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        sheet_of(image)


def test_rows_of_a_table_are_not_taken_for_one_image(classifier):
    """In a list, an array of two axes is one image, whatever its width."""
    with pytest.raises(InputError, match=r"may be 5 images or one\. Pass array\.reshape"):
        classifier.read(np.zeros((5, 784)))
    assert len(classifier.read([np.zeros((5, 784))])) == 1


@pytest.mark.parametrize("image", [7, None, object()])
def test_what_is_no_image_is_refused(classifier, image):
    with pytest.raises(InputError, match="Expected a path, the bytes of an image file"):
        classifier.predict(image)
    with pytest.raises(InputError, match="Expected a path, the bytes of an image file"):
        classifier.predict([image])


def test_predicting_what_cannot_be_read_names_the_first_and_its_reason(classifier, scans):
    paths = sorted(scans.iterdir())
    with pytest.raises(InputError, match=r"3 of 44 images; of image 41: blank image\."):
        classifier.predict(paths)
    with pytest.raises(InputError, match="1 of 1 images; of image 0: cannot be opened"):
        classifier.predict_proba(scans / "nothing.png")


def test_a_version_is_named_as_on_the_command_line(champion):
    for reference in ("mnist@champion", "@champion", "mnist/1", "1", 1, champion):
        assert Classifier.load(reference).version.reference == "mnist/1"
    with pytest.raises(NotFoundError):
        Classifier.load(2)


@pytest.mark.parametrize(
    "options", [{"normalize": "maybe"}, {"ink": "blue"}, {"reject": 0}, {"reject": 1.5}]
)
def test_an_option_outside_its_domain_is_refused(classifier, options):
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        Classifier(classifier.network, **options)


def test_its_representation_names_the_version_or_the_sizes(champion, classifier):
    assert repr(Classifier.load()).startswith("Classifier(mnist/1")
    assert repr(classifier).startswith("Classifier((784, 64, 10)")


def test_a_path_is_a_str_or_a_path(classifier, scans, monkeypatch):
    monkeypatch.chdir(scans)
    assert classifier.predict("000.jpg") == classifier.predict(Path("000.jpg"))
