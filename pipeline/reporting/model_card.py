"""A model card as Markdown, with the metadata that Hugging Face reads, and as an HTML page."""

from collections.abc import Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt

from pipeline.metrics.evaluation import Evaluation
from pipeline.reporting.rows import flat_params
from pipeline.reporting.templating import environment
from registry import Event, ModelVersion

# The role of the user's own images among the inputs of a version.
_LABELLED = "labelled"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model card says about a version."""

    version: ModelVersion
    registration: Event
    """The event that registered it, with its signature if it has one."""
    evaluation: Evaluation
    """On the test images as they are."""
    kinds: Mapping[str, float]
    """Accuracy on test images that are drawn as people send them, by kind."""
    images_of_a_kind: int


def card_markdown(card: ModelCard) -> str:
    """Return a model card as Markdown, after a block of metadata."""
    version = card.version
    return (
        environment(autoescape=False)
        .get_template("model_card.md.j2")
        .render(
            version=version,
            registration=card.registration,
            evaluation=card.evaluation,
            kinds=card.kinds,
            images_of_a_kind=card.images_of_a_kind,
            params=list(flat_params(version.params)),
            has_own_images=any(role.startswith(_LABELLED) for role in version.inputs),
        )
    )


def card_html(card: ModelCard) -> str:
    """Return a model card as a page that loads nothing."""
    _, _, text = card_markdown(card).removeprefix("---\n").partition("\n---\n")
    # Raw HTML is shown as text, whoever wrote the description.
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    page = environment(autoescape=True).get_template("model_card.html.j2")
    return page.render(title=card.version.reference, body=body)
