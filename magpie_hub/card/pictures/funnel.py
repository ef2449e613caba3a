"""What is left after each step that drops rows: bars from zero, all on one scale."""

from dataclasses import replace

from magpie_hub.card.pictures import sheet
from magpie_hub.card.pictures.sheet import Picture
from magpie_hub.curate.funnel import Funnel, Step

MINUS = "\N{MINUS SIGN}"
_STEP = 0.52


def drawn(config: str, funnel: Funnel) -> Picture | None:
    """Return the bars of the steps beneath that of all rows; None where nothing was dropped."""
    shown = steps(funnel)
    if not shown:
        return None
    tall = _STEP * (len(shown) + 1)
    canvas = sheet.blank(
        sheet.HEAD + tall + 0.15,
        f"Funnel of {config}",
        "Rows left after each step; those that it dropped end its bar",
    )
    wide, right = sheet.WIDTH - 2 * sheet.MARGIN, sheet.WIDTH - sheet.MARGIN
    numbers = sheet.inches(f"{funnel.drawn:,}")
    axes = sheet.panel(canvas, sheet.MARGIN, sheet.HEAD, wide, tall)
    axes.set_xlim(0, funnel.drawn)
    axes.set_ylim(tall, 0)
    axes.set_axis_off()
    for number, step in enumerate([Step("", "at the start", 0, funnel.drawn), *shown]):
        top = _STEP * number
        axes.barh(top + 0.28, step.left, height=0.16, color=sheet.BLUE)
        axes.barh(top + 0.28, step.dropped, left=step.left, height=0.16, color=sheet.ORANGE)
        name = f"{step.stage}: {step.reason}" if step.stage else step.reason
        label = sheet.fitted(name, wide - 2 * numbers - 0.5)
        sheet.write(canvas, sheet.MARGIN, sheet.HEAD + top, label)
        sheet.write(canvas, right, sheet.HEAD + top, f"{step.left:,}", align="right")
        if step.dropped:
            before = right - numbers - 0.2
            sheet.write(
                canvas, before, sheet.HEAD + top, f"{MINUS}{step.dropped:,}  →", align="right"
            )
    most = max(funnel.steps, key=lambda step: step.dropped)
    alt = (
        f"Funnel of {config}: of {funnel.drawn:,} rows {funnel.kept:,} are left. Most are dropped"
        f" by {most.stage}: {sheet.shortened(most.reason)} ({most.dropped:,} rows)."
    )
    return Picture(canvas, alt)


def steps(funnel: Funnel, most: int = 15) -> list[Step]:
    """Return the steps that dropped rows, of many the largest and at the end all others as one."""
    dropping = [step for step in funnel.steps if step.dropped]
    if len(dropping) <= most:
        return dropping
    largest = sorted(dropping, key=lambda step: -step.dropped)[: most - 1]
    shown, left = [], funnel.drawn
    for step in dropping:
        if step in largest:
            left -= step.dropped
            shown.append(replace(step, left=left))
    rest = f"{len(dropping) - len(shown):,} smaller steps"
    return [*shown, Step("", rest, left - funnel.kept, funnel.kept)]
