"""Run unittest.TestCase classes and speak TAP, as the C tests do: tap.main() ends a test file."""
import sys
import unittest


class TapResult(unittest.TestResult):
    """One line a test; what went wrong follows it as diagnostics."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def report(self, good, test, directive="", details=""):
        self.number += 1
        name = test.id().removeprefix("__main__.")
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}{directive}")
        for line in details.splitlines():
            print("# " + line)
        sys.stdout.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(False, test, details=self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.report(False, test, details=self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.report(False, subtest, details=self._exc_info_to_string(err, subtest))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report(True, test, directive=f" # SKIP {reason}")


def main():
    """Run the tests of the calling file and exit; the file's own arguments stay in sys.argv."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}")
    sys.exit(not result.wasSuccessful())
