"""DICOM files: the only place that knows pydicom and highdicom."""
