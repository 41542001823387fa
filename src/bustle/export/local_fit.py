"""Sentences on a rule that a site has fitted on its own cases."""

from __future__ import annotations

from bustle.inference.package import HeldOutFigure, LocalFit

PARTS = {
    "malignancy": "the probability of malignant, with what descriptors count in it, and its bounds",
    "presence": "whether there is a lesion",
    "domain": "what pictures it is for",
    "smallest_part": "which small or faint parts are dropped",
}


def fitted_on(fit: LocalFit) -> str:
    """On what, and which parts."""
    cases = sum(source.cases for source in fit.data.values())
    classes = f"{fit.malignant} malignant, {fit.benign} benign, {fit.normal} normal"
    new = "; ".join(PARTS[name] for name in fit.fitted)
    kept = "; ".join(words for name, words in PARTS.items() if name not in fit.fitted)
    text = f"Fitted on {cases} local cases of {fit.patients} patients ({classes}): {new}."
    return text + (f" As before for want of cases: {kept}." if kept else "")


def counted(figure: HeldOutFigure) -> str:
    """The cases of a figure, of both rules where one of them answers fewer."""
    before, after = figure.before.n, figure.after.n
    return str(after) if before == after else f"{before} / {after}"


def verdict(fit: LocalFit) -> str:
    """Whether the fit has helped, on patients that it had not seen."""
    gain = fit.brier_gain
    how = f"Figures after are of rules fitted without the patient ({fit.folds} parts); 95 % intervals over patients."
    if gain.value is None:
        return how
    told = f"{how} Over the {gain.n} cases that both rules answer the Brier score changes by {-gain.value:+.3f}"
    if gain.ci95 is None:
        return f"{told}; of so few patients there is no interval."
    told += f" [{-gain.ci95[1]:+.3f}, {-gain.ci95[0]:+.3f}]"
    if gain.ci95[0] > 0:
        return f"{told}: the probabilities are better by more than chance."
    if gain.ci95[1] < 0:
        return f"{told}: the probabilities are WORSE; keep the package as it was."
    return f"{told}: within chance; more cases would tell."
