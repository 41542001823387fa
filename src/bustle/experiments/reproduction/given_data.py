"""The data that a person gives: which rows of a table it serves, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bustle.core.errors import InputError
from bustle.data.sources import check_specs
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.printed_rows import READERS, PrintedRow


@dataclass(frozen=True, kw_only=True)
class RowData:
    """What a row's runs train on, by spec and name, and the `source` whose cases its figures are of.

    `stands_in` for private data.
    """

    specs: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    stands_in: bool = False


@dataclass(frozen=True, kw_only=True)
class GivenData:
    """`by_reader` are the papers' public data sets, `stand_in` takes the place of private ones.

    A set in another layout than its publishers' is known by the source's name, which is then the reader of theirs.
    `names` are those of the sources, by spec.
    """

    by_reader: Mapping[str, str]
    stand_in: tuple[str, ...]
    names: Mapping[str, str]

    @classmethod
    def of(cls, data: Sequence[str], *, stand_in: Sequence[str]) -> GivenData:
        """Raises `InputError` for data that no paper has, and two specs of one data set."""
        by_reader: dict[str, str] = {}
        names: dict[str, str] = {}
        for spec, text in zip(check_specs(data), data, strict=True):
            data_set = spec.reader if spec.reader in READERS.values() else spec.name
            if data_set not in READERS.values():
                remedy = (
                    "give what stands for private data to --stand-in; a copy of a public set is known by its ?name="
                )
                raise InputError(f"no paper's results are on data read by {spec.reader}", remedy=remedy)
            if data_set in by_reader:
                raise InputError(f"{data_set} is given twice", remedy="give every data set once")
            by_reader[data_set] = text
            names[text] = spec.name
        names |= {text: spec.name for spec, text in zip(check_specs(stand_in), stand_in, strict=True)}
        return cls(by_reader=by_reader, stand_in=tuple(stand_in), names=names)

    def of_row(self, row: PrintedRow, item: Item) -> RowData | str:
        """What the row's runs are trained and tested on, or why there are none."""
        if not row.recipes:
            return "quoted by the paper from elsewhere; not built here"
        if row.dataset.startswith("one image of"):
            return "of one image; which one the paper does not say"
        if "tumours <= 1 cm3" in row.dataset:
            return "of tumours up to 1 cm³; see the run's report"
        if row.reader is None:
            return self._standing_in(row)
        if row.reader not in self.by_reader:
            return f"{row.dataset} is not given; add --data {row.reader}:PATH"
        readers = [spec.partition(":")[0] for spec in item.block.data]
        together = [row.reader] if item.block.apart or row.reader not in readers else readers
        specs = tuple(self.by_reader[reader] for reader in together if reader in self.by_reader)
        return self._data(specs, source=self.names[self.by_reader[row.reader]])

    def _standing_in(self, row: PrintedRow) -> RowData | str:
        if not self.stand_in:
            return f"{row.dataset.removesuffix(' (private)')} is private; --stand-in SPEC takes its place"
        return self._data(self.stand_in, source=self.names[self.stand_in[0]], stands_in=True)

    def _data(self, specs: tuple[str, ...], *, source: str, stands_in: bool = False) -> RowData:
        names = tuple(self.names[spec] for spec in specs)
        return RowData(specs=specs, names=names, source=source, stands_in=stands_in)

    def missing_beside(self, row: PrintedRow, item: Item) -> str:
        """Which data sets the paper trained on too, empty where none is missing."""
        readers = [spec.partition(":")[0] for spec in item.block.data]
        if item.block.apart or row.reader not in readers:
            return ""
        missing = [reader for reader in readers if reader not in self.by_reader]
        return f"trained without {' and '.join(missing)}, which the paper adds" if missing else ""
