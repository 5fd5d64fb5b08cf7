#!/usr/bin/env python3
"""Build Fanlight with each compiler and sanitizer, run the suites, and sum what passed.

What is missing for that is installed first. Each line of a test that speaks TAP counts as one; a
test that crashes, hangs or breaks its plan counts as failed. The last line printed is the sum over
all builds.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The real modules of this machine instead of the guest's; runs only when named.
VIVID = 'vivid'
# Only where the targets are built, which takes clang.
FUZZ = 'fuzz'
SUITES = sorted(file.parent.name for file in (ROOT / 'tests').glob('*/meson.build')) + [VIVID]
QUICK = ['unit', 'model', 'cli', 'http']


@dataclass
class Build:
    """One compiler with one set of options, and the suites that run there."""
    name: str
    compiler: str
    options: list
    suites: list = field(default_factory=list)  # none: all
    patience: int = 2  # how much longer than an idle machine's plain build a test may take
    environment: dict = field(default_factory=dict)

    @property
    def directory(self):
        return ROOT / 'build' / f'test-{self.name}'


BUILDS = [
    Build('gcc', 'gcc', ['--buildtype=release']),
    Build('clang-asan', 'clang', ['--buildtype=debugoptimized', '-Db_lundef=false',
                                  '-Db_sanitize=address,undefined'],
          suites=['unit', 'cli', 'http', 'hostile'], patience=4,
          environment={'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
                       'LSAN_OPTIONS': 'print_suppressions=0:suppressions='
                                       f'{ROOT / "tests" / "lsan.supp"}'}),
    Build('clang-tsan', 'clang', ['--buildtype=debugoptimized', '-Db_lundef=false',
                                  '-Db_sanitize=thread'],
          suites=['unit', 'cli', 'http'], patience=4,
          environment={'TSAN_OPTIONS': 'halt_on_error=1'}),
    Build('clang-fuzz', 'clang', ['--buildtype=debugoptimized', '-Dfuzz=true'], suites=[FUZZ],
          environment={'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}),
]


def arguments():
    parser = argparse.ArgumentParser(prog='tools/test', description=__doc__.split('\n')[0])
    parser.add_argument('--suite', action='append', default=[], metavar='NAME',
                        choices=SUITES, help='run only this suite; may be given again: '
                        f'{", ".join(SUITES)}, which is the vm suite on the modules of this '
                        'machine')
    parser.add_argument('--quick', action='store_true',
                        help=f'one plain build, only {", ".join(QUICK)}')
    return parser.parse_args()


def require_vivid():
    if os.geteuid():
        sys.exit('tools/test: --suite vivid loads kernel modules; run it as root.')
    if subprocess.run(['modprobe', '-nq', VIVID], check=False).returncode:
        sys.exit('tools/test: this kernel has no vivid module; without --suite vivid its tests run '
                 'in a guest.')


def quiet(command, environment):
    """Run a command and show what it said only if it fails."""
    result = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
    if result.returncode:
        print(result.stdout, end='')
    return result.returncode == 0


def compile_all(build, environment):
    if not (build.directory / 'build.ninja').exists():
        setup = ['meson', 'setup', str(build.directory), '-Dwerror=true', *build.options]
        if not quiet(setup, environment):
            return False
    return quiet(['ninja', '-C', str(build.directory)], environment)


def without_randomisation():
    """Sanitizers need their shadow where some kernels' address randomisation puts other things."""
    probe = subprocess.run(['setarch', '-R', 'true'], stderr=subprocess.DEVNULL, check=False)
    return [] if probe.returncode else ['setarch', '-R']


def count(test):
    """How many checks of one meson test passed, failed and were skipped."""
    sums = Counter()
    output = test.get('stdout') or ''
    if re.search(r'^1\.\.\d+', output, re.M):
        for negated, rest in re.findall(r'^(not )?ok\b(.*)$', output, re.M):
            skipped = re.search(r'#\s*skip', rest, re.I)
            sums['skipped' if skipped else 'failed' if negated else 'passed'] += 1
    elif test['result'] in ('OK', 'SKIP'):
        sums['passed' if test['result'] == 'OK' else 'skipped'] += 1
    if test['result'] not in ('OK', 'SKIP') and not sums['failed']:
        sums['failed'] += 1
    return sums


def show(test):
    """What a failed test said, without what went well. Meson itself keeps a TAP test's output."""
    print(f'-- {test["name"]}: {test["result"]}, exit code {test["returncode"]}')
    for text in (test.get('stdout'), test.get('stderr')):
        for line in (text or '').splitlines():
            if not line.startswith('ok '):
                print(line)


def run_tests(build, suites, environment):
    command = ['meson', 'test', '-C', str(build.directory), '--no-rebuild',
               '--timeout-multiplier', str(build.patience), '--logbase', 'suites']
    for suite in suites:
        command += ['--suite', suite]
    if build.environment:
        command = without_randomisation() + command
    log = build.directory / 'meson-logs' / 'suites.json'
    log.unlink(missing_ok=True)
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    sums = Counter()
    if log.exists():
        for test in map(json.loads, log.read_text().splitlines()):
            sums += count(test)
            if test['result'] not in ('OK', 'SKIP'):
                show(test)
    if code and not sums['failed']:
        sums['failed'] += 1  # meson itself failed
    return sums


def wanted_suites(build, args):
    """The suites to run in this build: none means all, None means not this build."""
    asked = args.suite or (QUICK if args.quick else [])
    if args.quick and build is not BUILDS[0]:
        return None
    if not build.suites or not asked:
        return [suite for suite in asked if suite != FUZZ] or (
            None if asked else build.suites)
    return [suite for suite in asked if suite in build.suites] or None


def main():
    args = arguments()
    if subprocess.run([ROOT / 'tools' / 'setup', 'test'], check=False).returncode:
        return 1
    if VIVID in args.suite:
        require_vivid()
    total = Counter()
    for build in BUILDS:
        suites = wanted_suites(build, args)
        if suites is None:
            continue
        environment = {**os.environ, 'CC': build.compiler, **build.environment}
        print(f'== {build.name}: building', flush=True)
        if not compile_all(build, environment):
            print(f'== {build.name}: does not build')
            total['failed'] += 1
            continue
        sums = run_tests(build, suites, environment)
        print(f'== {build.name}: {sums["passed"]} passed, {sums["failed"]} failed, '
              f'{sums["skipped"]} skipped', flush=True)
        total += sums
    print(f'{total["passed"]} passed, {total["failed"]} failed, {total["skipped"]} skipped')
    promised = os.environ.get('CI') == 'true'
    return bool(total['failed'] or not total['passed'] or (promised and total['skipped']))


if __name__ == '__main__':
    sys.exit(main())
