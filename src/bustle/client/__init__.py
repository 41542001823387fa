"""A page of `bustle serve`, asked by a program: drop scans, read the answers, sign, export; no extra is needed.

from bustle.client import PageClient

page = PageClient("http://127.0.0.1:8765", token="bustle_…")
drop = page.read(["scan.png", "clip.mp4"])
for case in page.cases(drop=drop.id):
print(case.name, case.decision, case.malignant)
"""

from bustle.client.answers import Answer, Case, CaseDetail, Drop, DroppedFile, Lesion, Reading
from bustle.client.page_client import PageClient, RefusedError

__all__ = ["Answer", "Case", "CaseDetail", "Drop", "DroppedFile", "Lesion", "PageClient", "Reading", "RefusedError"]
