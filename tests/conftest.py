"""What holds for all tests: a skip that nobody expects is a failure.

A test that skips itself says nothing, so a machine that lacks what the tests need would look green. The expected
skips are listed here with the condition under which each is honest.
"""

import os
import shutil
from collections.abc import Generator

import pytest
from hypothesis import settings

from hepto.edge import rtc

# A timing is never a test. `make test-long` looks for counterexamples ten times as long (tests/tiers.py).
settings.register_profile("hepto", deadline=None, max_examples=50)
settings.register_profile("long", deadline=None, max_examples=500)
settings.load_profile("hepto")

rtc.DEVICE = os.devnull  # the clocks of the machine that runs the tests are never set

# Reason of the skip -> when it is honest.
EXPECTED_SKIPS: dict[str, bool] = {
    "needs root": os.geteuid() != 0,
    "no groff on this machine": shutil.which("groff") is None,
    "no gofmt on this machine": shutil.which("gofmt") is None,
    "no ssh-keygen on this machine": shutil.which("ssh-keygen") is None,
}


def unexpected(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a report's skip is a failure; empty if it is none."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = text.removeprefix("Skipped: ")
    if not report.skipped or hasattr(report, "wasxfail") or EXPECTED_SKIPS.get(reason, False):
        return ""
    return f"unexpected skip: {reason} (expected ones are listed in tests/conftest.py)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a test's skip that is not expected into a failure."""
    report = yield
    if text := unexpected(report):
        report.outcome, report.longrepr = "failed", text
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file, which skips itself while it is imported: none of its tests has a report."""
    report = yield
    if text := unexpected(report):
        report.outcome, report.longrepr = "failed", text
    return report
