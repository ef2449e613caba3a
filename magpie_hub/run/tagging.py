"""The stage that labels: every answered unit gets a shard for every tag that it lacks."""

from magpie_hub.records import RESPONSES
from magpie_hub.run.begin import Warn, begin
from magpie_hub.run.generation import Report
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Spec
from magpie_hub.tag import TAGS


def tag(spec: Spec, folder: RunFolder, report: Report, warn: Warn) -> None:
    """Label the answered rows of a run with the spec's tags; the caller holds its lock."""
    begin(spec, folder, warn)
    units = [unit for unit in folder.units() if folder.finished(RESPONSES, unit)]
    for tag_ in (TAGS[name] for name in spec.tags):
        for done, unit in enumerate(units, 1):
            if not folder.tagged(tag_.stage, unit):
                labels = tag_.label(folder.answered(unit))
                folder.write(tag_.stage, unit, labels, labelled=folder.labelled(unit))
            report(f"tag {tag_.name}", done, len(units), 0)
