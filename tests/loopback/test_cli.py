"""The `headend` command as its users meet it: real processes, real sockets."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.loopback.processes import QUIET, run, running

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }

[[utilities.partners]]
user_id = "cis"
password = "correct horse"
notifications = { response_networks = ["127.0.0.0/8"] }
"""

SHIPMENT = """meter_no,serial_no,model,configuration,ap_title,key_id,key,router,transport,host,port
E1,1,X,residential,.100.1,2,00112233445566778899aabbccddeeff,r1,udp,127.0.0.1,1153
E2,2,X,residential,.100.2,2,00112233445566778899aabbccddeeff,r1,udp,127.0.0.1,1153
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "headend.toml"
    file.write_text(SETTINGS)
    return file


def test_the_demo_collects_serves_and_checks_itself() -> None:
    done = run("demo", "--once", "--port", "0", "--endpoints", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"endpoints +│ +20 ", done.stdout)
    assert re.search(r"exceptions +│ +0 ", done.stdout)
    for router in ("001", "002"):
        assert re.search(rf"router-{router} +up +cellular\S* +\d+/\d+ +100 % +closed +0 ", done.stdout), done.stdout
    assert re.search(r"OK: [\d,]{5,} values answered over MultiSpeak, all as the meters hold them", done.stdout)
    assert done.stderr == ""


def test_what_the_demo_tells_to_paste_works() -> None:
    with running("demo", "--port", "0", "--endpoints", "20") as demo:
        wsdl = demo.line_with("MR_Server 3.0").split()[-1]
        assert demo.line_with("UserID:").split() == ["UserID:", "demo"]
        assert len(demo.line_with("Pwd:").split()) == 2
        demo.line_with("from datetime import datetime")
        demo.line_with("print(read.meterNo")
        said = "".join(demo.output)
        snippet = said[said.index("from datetime") :]
        assert wsdl in snippet
        pasted = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, timeout=60, env=QUIET, check=False)
        assert pasted.returncode == 0, pasted.stderr
        assert re.search(r"values$", pasted.stdout, re.MULTILINE)
        assert demo.end(signal.SIGINT) == 0


def test_a_taken_port_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("demo", "--once", "--port", str(port), "--endpoints", "3")
    assert done.returncode == 1
    assert f"cannot serve at 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_says_where_and_ends_in_good_order(config: Path) -> None:
    with running("serve", "--config", config) as serve:
        wsdl = serve.line_with("MR_Server 4.1.6").split()[-1]
        front = wsdl.removesuffix("multispeak/4.1.6/MR_Server?wsdl")
        with urllib.request.urlopen(front) as page:
            assert page.url == front + "multispeak"
        assert serve.end(signal.SIGTERM) == 0
    assert (config.parent / "headend.key").stat().st_mode & 0o777 == 0o600


def test_being_told_twice_to_end_is_no_mistake(config: Path) -> None:
    with running("serve", "--config", config) as serve:
        serve.line_with("MR_Server 4.1.6")
        serve.process.send_signal(signal.SIGTERM)
        assert serve.end(signal.SIGTERM) == 0
        assert "Traceback" not in serve.rest()


def test_serve_tells_every_mistake_in_its_settings(config: Path) -> None:
    config.write_text(SETTINGS.replace("Chicago", "Chikago").replace("port = 0", "port = -1").replace('user_id = "cis"', "usr = 1"))
    done = run("serve", "--config", config)
    assert done.returncode == 2
    for place in ("server.port", "utilities[1].time_zone", "utilities[1].partners[1].usr", "utilities[1].partners[1].user_id"):
        assert place in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shipment_is_imported_twice_without_a_change(config: Path) -> None:
    file = config.parent / "shipment.csv"
    file.write_text(SHIPMENT)
    assert "2 rows read, 2 new or changed, 0 bad" in run("import", "shipment", file, "--config", config).stdout
    assert "2 rows read, 0 new or changed, 0 bad" in run("import", "shipment", file, "--config", config).stdout


def test_bad_rows_are_named_and_nothing_or_the_good_ones_are_imported(config: Path) -> None:
    file = config.parent / "shipment.csv"
    file.write_text(SHIPMENT + "E3,3,X,residental,.100.3,2,00112233445566778899aabbccddeeff,r1,udp,127.0.0.1,1153\n")
    refused = run("import", "shipment", file, "--config", config)
    assert refused.returncode == 1
    assert "line 4: configuration 'residental'" in refused.stderr
    assert "ccddeeff" not in refused.stderr
    taken = run("import", "shipment", file, "--config", config, "--good-ones")
    assert "2 rows read, 2 new or changed, 1 bad" in taken.stdout
    assert "line 4" in taken.stderr


@pytest.mark.parametrize(
    "arguments", [("serve",), ("demo", "--endpoints", "0"), ("emulate", "--head-end", "nowhere"), ("import", "meters")]
)
def test_a_wrong_command_line_is_explained(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_schedules_are_shown_and_set(config: Path) -> None:
    (config.parent / "shipment.csv").write_text(SHIPMENT)
    assert run("import", "shipment", config.parent / "shipment.csv", "--config", config).returncode == 0
    listed = json.loads(run("schedules", "list", "--config", config, "--json").stdout)
    common = {"group": "", "begins": ["00:15", "06:15", "12:15", "18:15"], "window_minutes": 240}
    assert listed["plans"][0] == {"kind": "interrogations"} | common
    refused = run("schedules", "set", "north", "--at", "01:00", "--config", config)
    assert (refused.returncode, "meter group 'north' is not known" in refused.stderr) == (1, True), refused.stderr
    assert "'25:00' is no time of the day" in run("schedules", "set", "north", "--at", "25:00", "--config", config).stderr
