#!/usr/bin/env python3
"""The Debian package where systemd runs: install, serve, break, upgrade, remove, purge, in order."""
import http.client
import os
import pathlib
import ssl
import sys
import time

import guest

PACKAGE, SUCCESSOR = sys.argv[3:5]
SETTINGS = pathlib.Path("/etc/fanlight/fanlight.conf")
STATE = pathlib.Path("/var/lib/fanlight")
DROP_IN = pathlib.Path("/run/systemd/system/fanlight.service.d/test.conf")
MINE = "\n# Mine.\nquality = 33\n"

# What the service may do and may not, tried from within; opening is all that is tried.
TRIAL = """
import os
def can(path, mode=os.O_RDWR):
    try:
        os.close(os.open(path, mode | os.O_NONBLOCK))
        return True
    except OSError:
        return False
for path in {mine}:
    assert can(path), path
for path in ('/dev/kmsg', '/dev/mem', '/dev/vda', '/etc/fanlight/fanlight.conf', '/sys/power/state'):
    assert not can(path), path
assert not can('/etc/shadow', os.O_RDONLY)
assert not os.path.exists('/proc/1/status')
assert not os.access('/root', os.R_OK) or not os.listdir('/root')
open('/var/lib/fanlight/trial', 'w').close()
"""


def systemctl(*arguments):
    return guest.output_of("systemctl", *arguments).strip()


def main_pid():
    return int(systemctl("show", "--value", "-p", "MainPID", "fanlight"))


def get(path, port=8080):
    """Status and body, once somebody answers."""
    deadline = time.monotonic() + guest.PATIENCE_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=guest.PATIENCE_S)
        if port == 443:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=guest.PATIENCE_S,
                context=ssl._create_unverified_context())
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            if time.monotonic() > deadline:
                print(guest.output_of("journalctl", "-u", "fanlight", "-n", "20").replace("\n", "\n# "))
                raise
            time.sleep(0.1)
        finally:
            connection.close()


def assert_serves():
    status, picture = get("/snapshot")
    assert status == 200 and picture.startswith(b"\xff\xd8"), (status, picture[:200])


def dpkg(*arguments):
    # What somebody changed stays, as apt does it without anybody to ask.
    guest.output_of("dpkg", "--force-confdef", "--force-confold", *arguments, timeout=300)


def installed_it_serves_the_camera_at_once():
    dpkg("-i", PACKAGE)
    assert systemctl("is-active", "fanlight") == "active"
    assert systemctl("is-enabled", "fanlight") == "enabled"
    assert_serves()
    assert b"vivid" in get("/state")[1]


def it_runs_as_its_own_user_without_capabilities():
    status = pathlib.Path(f"/proc/{main_pid()}/status").read_text().split("\n")
    facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    user = guest.output_of("id", "-u", "fanlight").strip()
    assert facts["Uid"].split() == [user] * 4 and user != "0", facts["Uid"]
    assert all(int(facts[which], 16) == 0 for which in ("CapPrm", "CapBnd", "CapAmb")), facts
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", facts


def systemd_finds_the_units_right_and_the_exposure_below_two():
    said = guest.output_of("systemd-analyze", "verify", "--man=no", "fanlight.service",
                           "fanlight-http.socket", "fanlight-https.socket")
    assert "fanlight" not in said, said
    said = guest.output_of("systemd-analyze", "security", "--no-pager", "--threshold=19",
                           "fanlight.service")
    print("#", said.strip().splitlines()[-1])


def it_reaches_cameras_screens_and_heaps_and_nothing_else():
    mine = [str(path) for pattern in ("video*", "dri/card*", "dri/renderD*", "dma_heap/*")
            for path in sorted(pathlib.Path("/dev").glob(pattern))]
    print("#", *mine)
    script = pathlib.Path("/run/trial.py")
    script.write_text(TRIAL.format(mine=mine))
    DROP_IN.parent.mkdir(parents=True)
    DROP_IN.write_text(f"[Service]\nExecStartPre=/usr/bin/python3 {script}\n")
    systemctl("daemon-reload")
    try:
        systemctl("restart", "fanlight")
    except AssertionError:
        print("#", guest.output_of("journalctl", "-u", "fanlight", "-n", "20").replace("\n", "\n# "))
        raise
    finally:
        DROP_IN.unlink()
        systemctl("daemon-reload")
    assert (STATE / "trial").exists()


def systemd_can_put_all_of_its_threads_before_everything_else():
    """As fanlight(1) says how."""
    DROP_IN.write_text("[Service]\nCPUSchedulingPolicy=rr\nCPUSchedulingPriority=10\n"
                       "CPUAffinity=1\nMemorySwapMax=0\n")
    systemctl("daemon-reload")
    systemctl("restart", "fanlight")
    assert_serves()
    threads = [int(path.name) for path in pathlib.Path(f"/proc/{main_pid()}/task").iterdir()]
    assert len(threads) > 3, threads
    for thread in threads:
        assert os.sched_getscheduler(thread) == os.SCHED_RR, thread
        assert os.sched_getparam(thread).sched_priority == 10, thread
        assert os.sched_getaffinity(thread) == {1}, thread
    group = systemctl("show", "--value", "-p", "ControlGroup", "fanlight")
    assert pathlib.Path(f"/sys/fs/cgroup{group}/memory.swap.max").read_text() == "0\n"
    DROP_IN.unlink()
    systemctl("daemon-reload")
    systemctl("restart", "fanlight")


def killed_it_comes_back():
    before = main_pid()
    os.kill(before, 9)
    deadline = time.monotonic() + guest.PATIENCE_S
    while main_pid() in (0, before):
        assert time.monotonic() < deadline, "it never came back"
        time.sleep(0.1)
    assert_serves()


def systemd_opens_its_port_443():
    systemctl("stop", "fanlight")
    systemctl("start", "fanlight-https.socket")
    status, _ = get("/state", 443)  # which starts it
    assert status == 200
    assert_serves()
    systemctl("stop", "fanlight-https.socket")
    systemctl("restart", "fanlight")


def an_upgrade_keeps_settings_and_runs_the_new_program():
    SETTINGS.write_text(MINE + SETTINGS.read_text())
    before, mine = main_pid(), SETTINGS.read_text()
    dpkg("-i", SUCCESSOR)
    assert SETTINGS.read_text() == mine
    assert "What a new version has to say" in SETTINGS.with_suffix(".conf.dpkg-dist").read_text()
    assert main_pid() not in (0, before)
    assert_serves()


def removed_it_is_gone_but_for_settings_and_state():
    pid = main_pid()
    dpkg("-r", "fanlight")
    assert not pathlib.Path(f"/proc/{pid}").exists()
    assert not pathlib.Path("/usr/bin/fanlight").exists()
    assert SETTINGS.read_text().startswith(MINE) and STATE.exists()


def purged_nothing_is_left():
    dpkg("-P", "fanlight")
    assert not SETTINGS.parent.exists() and not STATE.exists()


def main():
    guest.load_vivid(["webcam"])
    return guest.run(guest.promises(
        installed_it_serves_the_camera_at_once,
        it_runs_as_its_own_user_without_capabilities,
        systemd_finds_the_units_right_and_the_exposure_below_two,
        it_reaches_cameras_screens_and_heaps_and_nothing_else,
        systemd_can_put_all_of_its_threads_before_everything_else,
        killed_it_comes_back,
        systemd_opens_its_port_443,
        an_upgrade_keeps_settings_and_runs_the_new_program,
        removed_it_is_gone_but_for_settings_and_state,
        purged_nothing_is_left))


if __name__ == "__main__":
    sys.exit(main())
