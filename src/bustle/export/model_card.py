"""MODEL_CARD.md: what a person must know before using a model package."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from bustle.core.data_section import PatchData
from bustle.core.recipe import load_protocol
from bustle.core.run_provenance import numbers_of_cases
from bustle.evaluation.figures import Subgroup
from bustle.evaluation.metrics import ANSWERS, CLASSIFICATION
from bustle.evaluation.results import ReleasedFigures
from bustle.export.local_fit import counted, fitted_on, verdict
from bustle.inference.package import CLASS_MAPS, CLASS_PROBS, MASK_PROBS, WEIGHTS, LocalFit, PackageRecord
from bustle.report.evaluation_page import answer_lines, headline_cards
from bustle.report.training_sentence import trained_on
from bustle.report.wording import NOTHING, interval, short_figure, with_unit


def model_card(record: PackageRecord, *, name: str) -> str:
    """The card in Markdown of what the package itself knows; `name` is its own."""
    return card_of(record, card_sections(record, name=name))


def card_sections(record: PackageRecord, *, name: str) -> dict[str, str]:
    """The card's sections by their titles."""
    return {
        "What it does": _purpose(record),
        "Intended use": _intended_use(record),
        "Use": f"```bash\nbustle predict scans/ --model {name} --out predictions\n```",
        "Training": _training(record),
        "Figures": _figures(record),
        "Answers": _answers(record),
        **({} if record.local_fit is None else {"Local fit": _local_fit(record.local_fit)}),
        "Deviations from the paper": f"{record.citation}\n\n{_list(record.deviations)}",
        "Export": _export(record),
        "Licence": record.licence,
    }


def card_of(record: PackageRecord, sections: Mapping[str, str]) -> str:
    """A card of these sections, in which no text of a recipe is markup."""
    head = (
        f"# {record.title}\n\n**Research software, not a medical device. It must not decide about a patient.**\n\n"
        f"Recipe `{record.recipe}`, network `{record.network}`, {_networks(record)}.\n"
    )
    card = head + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())
    return html.escape(card, quote=False)  # the card's own Markdown has no such signs


def _networks(record: PackageRecord) -> str:
    folds = ", ".join(weights.fold for weights in record.weights)
    count = len(record.weights)
    return f"one network ({folds})" if count == 1 else f"the mean probabilities of {count} networks ({folds})"


def _purpose(record: PackageRecord) -> str:
    section = record.preprocessing
    gives = {
        MASK_PROBS: "a mask of lesions",
        CLASS_PROBS: f"the probabilities of {', '.join(section.classes)}"
        + (" (not calibrated)" if record.decision is None else ", and an answer with calibrated ones"),
    }
    names = [output.name for output in record.outputs]
    answers = " and ".join(gives[name] for name in names if name in gives)
    if CLASS_MAPS in names:
        answers += "; on request a map of what speaks for a class"
    size = " × ".join(map(str, section.size))
    if isinstance(section, PatchData):
        return (
            f"From a 3D breast ultrasound volume, in patches of {size} voxels of {section.spacing_mm} mm: {answers}."
        )
    how = "stretched" if section.resize == "stretch" else "scaled and padded"
    views = "" if record.views.is_single else f", by the mean over views ({record.views.in_words()})"
    return f"From a 2D breast ultrasound image, {how} to {size} pixels{views}: {answers}."


def _intended_use(record: PackageRecord) -> str:
    if isinstance(record.preprocessing, PatchData):
        images, others = "volumes of automated breast ultrasound", "other organs, or single images"
    else:
        images, others = (
            "2D B-mode images of breast lesions",
            "other organs, Doppler, elastography or photos of a screen",
        )
    return (
        f"- For research, teaching and tests of methods on {images}, by people who can judge the image themselves; "
        "and as a start for models of one's own.\n"
        "- Not for decisions about a patient: no diagnosis, triage or screening, and no reading without a person. "
        f"Not for {others}.\n"
        "- In a hospital or on a device that the training data lack, test it on local cases first "
        "(`bustle evaluate`, `bustle accept`)."
    )


def _training(record: PackageRecord) -> str:
    training = record.training
    if training is None:
        return "Nothing is recorded about it."
    lines = ["| data | cases | SHA-256 | terms, as told to whoever trained |", "|---|---|---|---|"]
    lines += [
        f"| {source} | {facts.cases} | `{facts.sha256[:16]}…` | {_cell(facts.licence or 'not known')} |"
        for source, facts in training.data.items()
    ]
    section = record.preprocessing
    sentence = trained_on(
        training.taught or numbers_of_cases(training.data),
        networks=len(record.weights),
        volumes=isinstance(section, PatchData),
    )
    begun = training.starting_weights
    start = training.encoder_weights if begun is None else f"{begun.file} (SHA-256 `{begun.sha256[:16]}…`)"
    kept = record.training_cases
    sentence += (
        ""
        if kept is None
        else f" Of {kept.count} of these cases the package keeps the class, the data set's name and an embedding of "
        f"{kept.width} bytes, to name the most similar ones; no picture."
    )
    if record.seen_cases:
        sentence += (
            f" The package holds a digest of the ids of {len(record.seen_cases)} cases (data set and file name): a "
            "file name that can be guessed is confirmed."
        )
    return "\n".join([sentence, "", *lines]) + (
        f"\n\nStarted from: {start or 'random weights'}. Split by the protocol `{training.protocol}`"
        f"{_caveats(training.protocol)}."
    )


def _caveats(protocol: str) -> str:
    """What the protocol itself admits, to follow its name."""
    caveats = load_protocol(protocol).caveats
    return f", of which is known: {'; '.join(caveats)}" if caveats else ""


def _figures(record: PackageRecord) -> str:
    if not record.metrics:
        return "None are recorded: score the package with `bustle evaluate` before you trust it."
    text = "Every network was scored on the test cases of its own fold, none of which it was trained on."
    if len(record.weights) > 1:
        text += " The mean of the networks, which this package gives, was not scored itself."
    tables = [*map(_track_table, record.metrics), *([subgroup_table(record.subgroups)] if record.subgroups else [])]
    return "\n\n".join([text, *tables])


def _answers(record: PackageRecord) -> str:
    """What the answers promise, and what of it they kept on the test cases."""
    rule = record.decision
    if rule is None:
        return "The model has no decision rule: its decision is the most probable class."
    questions = [("malignant lesions", "benign lesions", rule.malignancy)]
    if rule.presence is not None:
        questions.insert(0, ("cases with a lesion", "cases without one", rule.presence))
    lines = []
    if len(record.weights) > 1:
        lines += [
            "The rule was fitted on what each network says about its own validation cases: for their mean, which no "
            "case can test that none of them has seen, it is an approximation.",
            "",
        ]
    lines += ["| stays possible in at least | fitted on |", "|---|---|"]
    for yes, no, question in questions:
        lines.append(f"| {question.coverage_yes:.0%} of {yes} | {question.cases_yes} cases |")
        lines.append(f"| {question.coverage_no:.0%} of {no} | {question.cases_no} cases |")
    kept = next(filter(None, map(answer_lines, record.metrics)), None)
    if kept is not None:
        lines += [
            "",
            "| on the test cases | value | 95 % interval | n | the network itself |",
            "|---|---|---|---|---|",
        ]
        for line in kept:
            unit = line.metric.unit
            value, bounds = with_unit(line.main.mean, unit), interval(line.main.ci95, unit)
            own = NOTHING if line.other is None else with_unit(line.other.mean, unit)
            lines.append(f"| {line.metric.title} | {value} | {bounds} | {line.main.n} | {own} |")
    return "\n".join(lines)


def _local_fit(fit: LocalFit) -> str:
    titles = {name: metric.title for name, metric in (ANSWERS | CLASSIFICATION).items()}
    lines = [
        f"{fitted_on(fit)} What the other sections tell of answers and their coverage is of the rule before.",
        "",
        "| on the local cases | before | after | n |",
        "|---|---|---|---|",
    ]
    for each in fit.figures:
        lines.append(
            f"| {titles[each.metric]} | {short_figure(each.before)} | {short_figure(each.after)} | {counted(each)} |"
        )
    digests = (f"{source}, SHA-256 `{facts.sha256[:16]}…`" for source, facts in fit.data.items())
    return "\n".join([*lines, "", verdict(fit), "", f"Data: {'; '.join(digests)}."])


def _track_table(figures: ReleasedFigures) -> str:
    protocol = figures.protocol
    lines = [
        f"Track `{figures.track}`, {figures.n_cases} cases of {', '.join(figures.folds)}. "
        f"Scored by the protocol `{protocol}`{_caveats(protocol)}.",
        "",
        "| figure | value | 95 % interval | |",
        "|---|---|---|---|",
    ]
    for card in headline_cards(figures):
        unit = card.entry.unit
        value, bounds = with_unit(card.entry.mean, unit), interval(card.entry.ci95, unit)
        lines.append(f"| {card.title} | {value} | {bounds} | {card.remark} |")
    return "\n".join(lines)


def subgroup_table(groups: Sequence[Subgroup]) -> str:
    """A few figures of parts of the test cases; none where a part is too small."""
    lines = [
        "Parts of the test cases, 95 % intervals in brackets; a dash where a part has too few cases.",
        "",
        "| part | cases (malignant) | Dice | lesions missed | AUC |",
        "|---|---|---|---|---|",
    ]
    for group in groups:
        words = " | ".join(short_figure(figure) for figure in (group.dice, group.missed_lesions, group.auc))
        lines.append(f"| {group.kind}: {_cell(group.name)} | {group.n} ({group.n_malignant}) | {words} |")
    return "\n".join(lines)


def _export(record: PackageRecord) -> str:
    made, parity = f"Made by bustle {record.versions.get('bustle')}.", record.parity
    if parity is None:
        return f"{made} {_weights(record)}"
    masks, classes = (
        NOTHING if largest is None else f"{largest:.1e}"
        for largest in (parity.largest_mask_difference, parity.largest_class_difference)
    )
    embeddings = (
        ""
        if parity.largest_embedding_difference is None
        else f", of an embedding {parity.largest_embedding_difference:.1e} of the largest number kept of a case"
    )
    return (
        f"{made} `model.onnx` in {' and '.join(parity.runtimes)} against the networks in PyTorch on "
        f"{sum(parity.batches)} generated images: largest difference of a mask probability {masks}, of a class "
        f"probability {classes}{embeddings}; {parity.flipped_pixels} of {parity.pixels} mask pixels flipped. "
        f"{_weights(record)}"
    )


def _weights(record: PackageRecord) -> str:
    place = (
        f"`{WEIGHTS}` holds the networks' own weights" if WEIGHTS in record.files else "It holds its weights by name"
    )
    return place + (", the large ones rounded to half precision." if record.half else ".")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _list(texts: tuple[str, ...]) -> str:
    return "\n".join(f"- {text}" for text in texts) or "- none are declared"
