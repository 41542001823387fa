"""DICOM files: the only place that knows pydicom and highdicom.

`recognition` finds the files of a study, `header` reads what precedes the pixels, `image` says in typed form what a
file holds, and `pictures` decodes one frame at a time. Everything comes from strangers: whatever is wrong becomes one
`InputError` that names the file and never a value of it, which could be a patient's name.
"""
