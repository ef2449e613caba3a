"""How the tests read a card: as the Hub's client does, and as Markdown."""

from huggingface_hub import RepoCard
from markdown_it import MarkdownIt

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def front(card: str) -> dict[str, object]:
    """Return the front matter as the Hub's client reads it."""
    return RepoCard(card, ignore_metadata_errors=False).data.to_dict()


def body(card: str) -> str:
    """Return the page without its front matter."""
    return card.partition("\n---\n")[2]


def shape(card: str) -> list[tuple[str, str]]:
    """Return the kinds and tags of all that Markdown makes of a card, without the texts."""
    found = []
    for token in MARKDOWN.parse(body(card)):
        found.append((token.type, token.tag))
        found += [(child.type, child.tag) for child in token.children or [] if child.tag]
        if "html" in token.type:
            found.append(("html", token.content))
    return found


def fences(card: str) -> list[str]:
    """Return the contents of the fenced blocks."""
    return [token.content for token in MARKDOWN.parse(body(card)) if token.type == "fence"]
