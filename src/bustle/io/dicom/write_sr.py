"""Answers and measurements as a structured report: TID 1500, with IHE's profile AI Results as the guide.

Of each image there is one group about its answer, and one about each lesion, which names the lesion's segment and
carries the tracking identifier and UID that the segment has.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bustle.io.dicom import concepts
from bustle.io.dicom.concepts import (
    MEASUREMENTS,
    OWN_SCHEME,
    OWN_SCHEME_NAME,
    PERCENT,
    WORDS,
    Concept,
    ascii_text,
    probability_of,
    said_as,
    unit_of,
)
from bustle.io.dicom.own_results import PRODUCT
from bustle.io.dicom.result_content import Algorithm, ReportedImage, ReportedLesion
from bustle.io.dicom.result_identity import (
    MANUFACTURER,
    NEEDED_OF_PATIENT_AND_STUDY,
    NOT_FOR_DIAGNOSIS,
    REPORT,
    new_object,
    result_uid,
    tracking_uid,
)
from bustle.io.dicom.source import SourceImage
from bustle.io.dicom.write_seg import LesionSegmentation, side_of

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        CodedConcept,
        FindingSite,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom import Dataset


def report_measurements(
    images: Sequence[ReportedImage],
    segmentations: Mapping[str, LesionSegmentation],
    *,
    algorithm: Algorithm,
    created: datetime.datetime,
) -> Dataset:
    """The Comprehensive SR about images of one study.

    `segmentations` by the images' SOP Instance UID hold the lesions of all images that have any.
    """
    from highdicom.sr import ComprehensiveSR, LanguageOfContentItemAndDescendants, MeasurementReport

    sources = [image.source for image in images]
    groups: list[Any] = []
    for image in images:
        remarks = [*image.answer.remarks, *_perhaps_again(image, images)]
        groups.append(_answer_group(image, algorithm, remarks=remarks))
        for place, lesion in enumerate(image.lesions, start=1):
            found = segmentations[image.source.sop_instance]
            group = _lesion_group if image.slices is None else _lesion_of_volume_group
            groups.append(group(image.source, lesion, found, segment=place, algorithm=algorithm))
    content = MeasurementReport(
        observation_context=_observer(algorithm),
        procedure_reported=_coded(concepts.ULTRASONOGRAPHY_OF_BREAST),
        imaging_measurements=groups,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            _coded(Concept("en", "RFC5646", "English"))
        ),
        referenced_images=[source.header for source in sources],
    )
    own = new_object(REPORT, sources, algorithm=algorithm, sop_class=_sop_class(), number=1, created=created)
    report = ComprehensiveSR(
        evidence=[_as_evidence(image.source) for image in images]
        + [found.dataset for found in segmentations.values()],
        content=content[0],
        series_instance_uid=own.SeriesInstanceUID,
        series_number=own.SeriesNumber,
        sop_instance_uid=own.SOPInstanceUID,
        instance_number=own.InstanceNumber,
        is_complete=True,
        specific_character_set=None,
    )
    report.update(own)
    report.CodingSchemeIdentificationSequence = [_own_scheme()]
    return report


def _sop_class() -> str:
    from pydicom.uid import ComprehensiveSRStorage

    return ComprehensiveSRStorage


def _as_evidence(source: SourceImage) -> Dataset:
    """The header without the person and the study, which highdicom would check and refuse where a device errs."""
    from pydicom import Dataset

    bare = Dataset()
    bare.update(source.header)
    for name in NEEDED_OF_PATIENT_AND_STUDY:
        if name in bare:
            del bare[name]  # to set it would change the header's own element
        setattr(bare, name, source.study if name == "StudyInstanceUID" else None)
    return bare


def _own_scheme() -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = OWN_SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item


def _coded(concept: Concept) -> CodedConcept:
    from highdicom.sr import CodedConcept

    return CodedConcept(concept.value, concept.scheme, concept.meaning)


def _observer(algorithm: Algorithm) -> ObservationContext:
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=result_uid("device", algorithm.key),
        name=PRODUCT,
        manufacturer_name=MANUFACTURER,
        model_name=ascii_text(algorithm.name, at_most=64),
        serial_number=algorithm.answers_sha256[:16],
    )
    return ObservationContext(
        observer_device_context=ObserverContext(codes.DCM.Device, device)  # type: ignore[attr-defined]
    )


def _identification(algorithm: Algorithm) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    return AlgorithmIdentification(
        name=ascii_text(algorithm.name, at_most=64),
        version=algorithm.full_version,
        parameters=[ascii_text(text, at_most=1024) for text in algorithm.parameters] or None,
        family=_coded(concepts.ARTIFICIAL_INTELLIGENCE),
        manufacturer=MANUFACTURER,
    )


def _site(source: SourceImage) -> FindingSite:
    from highdicom.sr import FindingSite

    side = side_of(source)
    return FindingSite(_coded(concepts.BREAST), laterality=None if side is None else _coded(side))


def _perhaps_again(image: ReportedImage, images: Sequence[ReportedImage]) -> Iterator[str]:
    """That other images of the side show lesions too, where they do: nothing says whether they are the same."""
    side = side_of(image.source)
    seen_in = sum(bool(other.lesions) for other in images if side_of(other.source) == side)
    if image.lesions and seen_in > 1:
        of_side = "of unknown side" if side is None else f"of the {side.meaning.lower()} side"
        yield f"Lesions are seen in {seen_in} images or clips {of_side} and numbered in each: some may be the same"


def _answer_group(
    image: ReportedImage, algorithm: Algorithm, *, remarks: Sequence[str]
) -> MeasurementsAndQualitativeEvaluations:
    """What is said about an image as a whole, or of the frame that stands for a clip or a volume."""
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    source, answer = image.source, image.answer
    said = []
    if answer.decision is not None:
        said.append(_said(concepts.DECISION, said_as(answer.decision)))
    said += [_said(concepts.POSSIBLE_CLASS, said_as(name)) for name in answer.possible]
    if answer.probabilities:
        said.append(_yes_or_no(concepts.CALIBRATED, answer.calibrated))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=result_uid("answer", algorithm.key, source.sop_instance), identifier="Answer about the image"
        ),
        algorithm_id=_identification(algorithm),
        finding_sites=[_site(source)],
        measurements=[
            _measured(probability_of(name), 100 * value, PERCENT) for name, value in answer.probabilities.items()
        ],
        qualitative_evaluations=said,
        source_images=[
            SourceImageForMeasurementGroup(
                source.sop_class, source.sop_instance, [answer.frame] if source.has_frames else None
            )
        ],
    )
    _comment(group, [NOT_FOR_DIAGNOSIS, *remarks, *(f"Moved by: {text}" for text in answer.moved_by)])
    return group


def _lesion_group(
    source: SourceImage,
    lesion: ReportedLesion,
    found: LesionSegmentation,
    *,
    segment: int,
    algorithm: Algorithm,
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """A lesion in the frame that it was measured in."""
    from highdicom.sr import (
        PlanarROIMeasurementsAndQualitativeEvaluations,
        ReferencedSegmentationFrame,
        SourceImageForSegmentation,
    )
    from pydicom.uid import SegmentationStorage

    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        **_told_of_lesion(source, lesion, algorithm),
        referenced_segment=ReferencedSegmentationFrame(
            SegmentationStorage,
            found.sop_instance,
            frame_number=found.frames[segment, lesion.measured_frame],
            segment_number=segment,
            source_image=SourceImageForSegmentation(
                source.sop_class, source.sop_instance, [lesion.measured_frame] if source.has_frames else None
            ),
        ),
    )
    for item in group[0].ContentSequence:
        for reference in item.get("ReferencedSOPSequence", ()):
            if reference.ReferencedSOPClassUID == SegmentationStorage:
                del reference.ReferencedSegmentNumber  # a frame belongs to one segment; both together are forbidden
    _comment(group, [NOT_FOR_DIAGNOSIS])
    return group


def _lesion_of_volume_group(
    source: SourceImage,
    lesion: ReportedLesion,
    found: LesionSegmentation,
    *,
    segment: int,
    algorithm: Algorithm,
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """A lesion in all slices of a volume that it is seen in."""
    from highdicom.sr import (
        ReferencedSegment,
        SourceImageForSegmentation,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom.uid import SegmentationStorage

    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        **_told_of_lesion(source, lesion, algorithm),
        referenced_segment=ReferencedSegment(
            SegmentationStorage,
            found.sop_instance,
            segment_number=segment,
            source_images=[SourceImageForSegmentation(source.sop_class, source.sop_instance, sorted(lesion.masks))],
        ),
    )
    _comment(group, [NOT_FOR_DIAGNOSIS])
    return group


def _told_of_lesion(source: SourceImage, lesion: ReportedLesion, algorithm: Algorithm) -> dict[str, Any]:
    """What groups about a lesion of an image and of a volume share."""
    from highdicom.sr import TrackingIdentifier

    said = [_said(WORDS[name][0], WORDS[name][1][word]) for name, word in lesion.words.items() if word is not None]
    said.append(_yes_or_no(concepts.SUSPECTED, lesion.suspected))
    if lesion.touches_edge is not None:
        said.append(_yes_or_no(concepts.TOUCHES_EDGE, lesion.touches_edge))
    return {
        "tracking_identifier": TrackingIdentifier(
            uid=tracking_uid(source.sop_instance, field=lesion.field, number=lesion.number, algorithm=algorithm),
            identifier=lesion.label,
        ),
        "finding_category": _coded(concepts.MORPHOLOGICALLY_ABNORMAL),
        "finding_type": _coded(concepts.LESION),
        "algorithm_id": _identification(algorithm),
        "finding_sites": [_site(source)],
        "measurements": list(_measurements(lesion)),
        "qualitative_evaluations": said,
    }


def _measurements(lesion: ReportedLesion) -> Iterator[Measurement]:
    for name, (concept, quantity) in MEASUREMENTS.items():
        value = lesion.measured.get(name)
        if value is not None:
            yield _measured(concept, value, unit_of(quantity, unit=lesion.unit))
    yield _measured(concepts.CERTAINTY, 100 * lesion.certainty, PERCENT)


def _measured(concept: Concept, value: float, unit: Concept) -> Measurement:
    """Six significant digits: a decimal string of DICOM has 16 characters at most."""
    from highdicom.sr import Measurement

    return Measurement(_coded(concept), float(f"{value:.6g}"), _coded(unit))


def _said(question: Concept, value: Concept) -> QualitativeEvaluation:
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(_coded(question), _coded(value))


def _yes_or_no(question: Concept, value: bool) -> QualitativeEvaluation:
    return _said(question, concepts.YES if value else concepts.NO)


def _comment(
    group: MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations,
    lines: Sequence[str],
) -> None:
    """Lines for a person at the end of a group; the template may be extended."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    for line in lines:
        group[0].ContentSequence.append(
            TextContentItem(_coded(concepts.COMMENT), ascii_text(line, at_most=1024), RelationshipTypeValues.CONTAINS)
        )
