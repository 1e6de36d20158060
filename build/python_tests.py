"""Runs the Python tests (standard-library unittest) and writes the counts: python python_tests.py COUNTS.json"""

import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent


class CountingResult(unittest.TextTestResult):
    """Counts every test once, however many of its subtests failed."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.passed += 1

    def failed(self):
        bad = self.failures + self.errors + [(test, "") for test in self.unexpectedSuccesses]
        return len({getattr(test, "test_case", test) for test, _ in bad})


def main(counts_path):
    sys.path.insert(0, str(ROOT / "python"))
    tests = ROOT / "python" / "tests"
    top = tests.parent if (tests / "__init__.py").exists() else tests
    suite = unittest.defaultTestLoader.discover(str(tests), top_level_dir=str(top))
    result = unittest.TextTestRunner(verbosity=2, resultclass=CountingResult).run(suite)
    skipped = len({getattr(test, "test_case", test) for test, _ in result.skipped})
    counts = {"passed": result.passed, "failed": result.failed(), "skipped": skipped}
    pathlib.Path(counts_path).write_text(json.dumps(counts), encoding="utf-8")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
