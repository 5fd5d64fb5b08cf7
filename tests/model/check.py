"""Check a model with spin, exhaustively, and that spin notices when the protocol is broken.

Usage: check.py SPIN CC MODEL; speaks TAP.
"""

import pathlib
import subprocess
import sys
import tempfile

SAFETY = ["-DSAFETY", "-DNOCLAIM"]

# A claim is searched for cycles with every thread fair, in a smaller model: it costs more.
EXCHANGE = [
    ("nothing_owned_twice_nothing_older_nothing_lost", None, ""),
    ("recall_is_answered", "recall_is_answered", ""),
    ("wanted_frame_is_taken", "wanted_frame_is_taken", ""),
    ("swap_in_two_steps_is_noticed", None, "BREAK_TWO_STEPS"),
    ("take_of_a_stale_slot_is_noticed", None, "BREAK_TAKE_STALE"),
    ("drain_after_take_is_noticed", None, "BREAK_DRAIN_LAST"),
    ("signal_only_when_fresh_is_noticed", None, "BREAK_SIGNAL_LATER"),
    ("recall_without_signal_is_noticed", None, "BREAK_RECALL_SKIPS"),
    ("drain_after_take_starves_the_viewer", "wanted_frame_is_taken", "BREAK_DRAIN_LAST"),
    ("recall_without_signal_stays_unanswered", "recall_is_answered", "BREAK_RECALL_SKIPS"),
]
LENDING = [
    ("nothing_lent_is_filled_and_one_is_always_home", None, ""),
    ("loan_too_few_is_noticed", None, "BREAK_TOO_FEW"),
    ("going_home_with_the_first_is_noticed", None, "BREAK_FIRST_IS_HOME"),
]
CHECKS = {"exchange": EXCHANGE, "lending": LENDING}


def verify(spin, cc, model, claim, broken):
    """Run one check; return spin's report."""
    defines = [f"-D{broken}"] if broken else []
    if claim:
        defines.append("-DPUBLICATIONS=2")
    with tempfile.TemporaryDirectory() as folder:
        commands = [
            [spin, *defines, "-a", model],
            [*cc, "-O1", "-w", "-o", "pan", "pan.c", *([] if claim else SAFETY)],
            ["./pan", "-m1000000", *(["-a", "-f", "-N", claim] if claim else [])],
        ]
        for command in commands:
            report = subprocess.run(command, cwd=folder, text=True, check=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    return report


def main():
    spin, *cc, model = sys.argv[1:]
    model = str(pathlib.Path(model).resolve())
    checks = CHECKS[pathlib.Path(model).stem]
    failed = 0
    print(f"1..{len(checks)}")
    for number, (name, claim, broken) in enumerate(checks, 1):
        try:
            report = verify(spin, cc, model, claim, broken)
        except subprocess.CalledProcessError as error:
            report = f"{error}\n{error.stdout}"
        # A search that did not finish, or was never made, proves neither.
        complete = "max search depth too small" not in report and "out of memory" not in report
        found = "errors: 1" in report
        clean = "errors: 0" in report and complete
        ok = found if broken else clean
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {number} - {name}", flush=True)
        if not ok:
            print("\n".join(f"# {line}" for line in report.splitlines()))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
