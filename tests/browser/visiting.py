"""Opens a page as a reader would, and writes down what is to be seen of it and what it tried."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

VIEWS = {"wide": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")

# `beyond`: elements that reach over an edge, but for those in a box that scrolls by itself;
# `boxes`: such boxes, where there is more in them than fits. Inline elements have no box.
LAYOUT = """() => {
  const scrolls = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  const inside = (node) => {
    for (let box = node.parentElement; box !== document.body; box = box.parentElement)
      if (scrolls(box)) return true;
    return false;
  };
  const named = (node) => `${node.tagName.toLowerCase()}: ${node.textContent.slice(0, 40)}`;
  const all = [...document.body.querySelectorAll("*")];
  const over = (node) => {
    const box = node.getBoundingClientRect();
    return box.right > innerWidth + 0.5 || box.left < -0.5;
  };
  return {
    width: document.documentElement.scrollWidth,
    beyond: all.filter((node) => over(node) && !inside(node)).map(named),
    boxes: all.filter((node) => scrolls(node) && node.scrollWidth > node.clientWidth).map(named),
  };
}"""

# WCAG 2's contrast between text and the first opaque ground behind it, where it is below 4.5.
FAINT = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = parts(colour).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const own = (node) => [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll("*")].filter(own).map((node) => {
    const [a, b] = [getComputedStyle(node).color, ground(node)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return [node.tagName.toLowerCase(), Math.round(contrast * 10) / 10];
  }).filter(([, contrast]) => contrast < 4.5);
}"""

IMAGES = "() => [...document.images].map((image) => [image.alt, image.naturalWidth])"

BROKEN = """() => [...document.querySelectorAll('a[href^="#"]')].map((a) => a.getAttribute("href"))
  .filter((href) => !document.getElementById(decodeURIComponent(href.slice(1))))"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page showed and did.

    tried: addresses it asked for, dialogs it opened, what the console said, scripts that ran.
    images: (alt, width in its own pixels). width: of all there is. beyond, boxes: elements over an
    edge, and boxes that scroll sideways. faint: (element, contrast). broken: links to no heading.
    """

    tried: list[str]
    images: list[tuple[str, int]]
    width: int
    beyond: list[str]
    boxes: list[str]
    faint: list[tuple[str, float]]
    broken: list[str]


def visit(browser: Browser, file: Path, view: str, scheme: Any, picture: Path) -> Visit:
    """Open an HTML file with every fold open, look at it, and take a picture of all of it."""
    width, height = VIEWS[view]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    tried = _watched(page, file.as_uri())
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    page.screenshot(path=picture, full_page=True)
    if (ran := page.evaluate("window.ran")) is not None:
        tried.append(f"ran: {ran}")
    seen = Visit(
        tried=tried,
        images=[(alt, natural) for alt, natural in page.evaluate(IMAGES)],
        **page.evaluate(LAYOUT),
        faint=[(tag, contrast) for tag, contrast in page.evaluate(FAINT)],
        broken=page.evaluate(BROKEN),
    )
    context.close()
    return seen


def _watched(page: Page, own: str) -> list[str]:
    """Return a list that fills with what the page tries."""
    tried: list[str] = []

    def dialog(opened: Any) -> None:
        tried.append(f"dialog: {opened.message}")
        opened.dismiss()

    def asked(request: Any) -> None:
        if request.url != own:
            tried.append(f"asked: {request.url}")

    page.on("dialog", dialog)
    page.on("request", asked)
    page.on("console", lambda message: tried.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: tried.append(f"error: {error}"))
    return tried
