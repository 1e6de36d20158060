"""Adds up the results of test legs: python test_summary.py LEG_FOLDER ...

Prints ``N passed, N failed, N skipped`` and ends with 1 when something failed. A leg's folder holds any number of ``.trx`` files
(C#) and a ``python.json`` (``{"passed":..,"failed":..,"skipped":..}``), and ``exit-code``. A leg that failed without a failed test (a crash,
a time limit) or ran no test at all counts as one failure; a leg without such files counts as one test by its exit code, 77 meaning skipped.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree

TRX_RESULT = "{http://microsoft.com/schemas/VisualStudio/TeamTest/2010}UnitTestResult"


def count_trx(path):
    """(passed, failed, skipped) of one TRX file, test by test: its own Counters leave skipped tests out."""
    passed = failed = skipped = 0
    for _, element in xml.etree.ElementTree.iterparse(path):
        if element.tag == TRX_RESULT:
            outcome = element.get("outcome")
            passed += outcome == "Passed"
            skipped += outcome in ("NotExecuted", "Inconclusive")
            failed += outcome not in ("Passed", "NotExecuted", "Inconclusive")
            element.clear()
    return passed, failed, skipped


def count_leg(folder):
    """(passed, failed, skipped) of one leg."""
    passed = failed = skipped = 0
    found = False
    for path in sorted(folder.rglob("*")):
        try:
            if path.suffix == ".trx":
                counts = count_trx(path)
            elif path.name == "python.json":
                result = json.loads(path.read_text(encoding="utf-8"))
                counts = result["passed"], result["failed"], result["skipped"]
            else:
                continue
        except (ValueError, KeyError, xml.etree.ElementTree.ParseError):
            counts = 0, 1, 0  # cut off in the middle: the run died
        found = True
        passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]

    exit_code = int((folder / "exit-code").read_text())
    if exit_code == 77 and not found:
        skipped += 1
    elif failed == 0 and (exit_code != 0 or (found and passed + skipped == 0)):
        failed += 1
    elif not found:
        passed += 1
    return passed, failed, skipped


def main(folders):
    counts = [count_leg(pathlib.Path(folder)) for folder in folders]
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 1, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
