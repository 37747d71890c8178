"""Best references with a server: a small one on this machine that speaks what crds asks for."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from webbcal.core.errors import ReferenceFileError
from webbcal.references.bestrefs import best_references, context

EXPOSURE = {
    "meta.instrument.name": "NIRCAM",
    "meta.instrument.detector": "NRCALONG",
    "meta.instrument.filter": "F444W",
    "meta.exposure.type": "NRC_IMAGE",
    "meta.observation.date": "2025-05-01",
    "meta.observation.time": "10:00:00.000",
}


class Server(ThreadingHTTPServer):
    """Serves the files of a cache folder, and the questions that crds asks."""

    def __init__(self, root):
        super().__init__(("localhost", 0), Handler)
        self.files = {p.name: p for p in root.rglob("*") if p.is_file()}
        self.asked, self.damaged, self.seconds = [], set(), 0.0
        self.address = f"http://localhost:{self.server_port}"

    def answer(self, method):
        mappings = sorted(n for n in self.files if n.endswith("map"))
        if method == "get_mapping_names":
            return mappings
        if method == "get_default_context":
            return "jwst_0001.pmap"
        assert method == "get_server_info", method
        metadata = {
            name: {"size": str(path.stat().st_size), "sha1sum": hashlib.sha1(path.read_bytes()).hexdigest()}
            for name, path in self.files.items()
        }
        packed = b64encode(gzip.compress(json.dumps(metadata).encode())).decode()
        url = {"jwst": f"{self.address}/files"}
        info = dict.fromkeys(("operational_context", "latest_context", "edit_context"), "jwst_0001.pmap")
        info |= {"observatory": "jwst", "bad_files": "", "bad_files_list": [], "mappings": mappings}
        info |= {"reference_url": url, "mapping_url": url, "force_remote_mode": False, "last_synced": "now"}
        return info | {"download_metadata": {"crds_encoded": "1.0", "crds_payload": packed}}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(request["method"])
        result = self.server.answer(request["method"])
        self.reply(json.dumps({"error": None, "result": result, "id": request["id"]}).encode())

    def do_GET(self):
        name = Path(self.path).name
        self.server.asked.append(name)
        content = self.server.files[name].read_bytes() if name in self.server.files else None
        if name.endswith(".fits"):
            time.sleep(self.server.seconds)
        self.reply(content[:-1] + b"?" if name in self.server.damaged else content)

    def reply(self, content):
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(make_cache, monkeypatch, tmp_path):
    """A server that has all, and an empty cache of our own."""
    cache = make_cache()
    server = Server(cache.root)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("CRDS_SERVER_URL", server.address)
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "empty"))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetches_rules_and_files_once(server, tmp_path):
    found = best_references(EXPOSURE, ["gain", "flat", "area"])
    folder = tmp_path / "empty" / "references" / "jwst" / "nircam"
    assert found == {
        "gain": str(folder / "gain_new.fits"),
        "flat": str(folder / "flat_f444w.fits"),
        "area": "N/A",
    }
    assert Path(found["gain"]).read_bytes() == b"gain_new.fits"
    server.asked.clear()
    assert best_references(EXPOSURE, ["gain", "flat", "area"]) == found
    assert server.asked == []  # all is in the cache and CRDS_CONTEXT names the context


def test_context_from_the_server(server, monkeypatch):
    monkeypatch.delenv("CRDS_CONTEXT")
    assert context() == "jwst_0001.pmap"
    assert "get_server_info" in server.asked
    assert best_references(EXPOSURE, ["gain"])["gain"].endswith("gain_new.fits")


def test_a_file_that_the_server_does_not_have(server):
    with pytest.raises(ReferenceFileError, match=r"mask_missing.fits.*did not deliver"):
        best_references(EXPOSURE, ["mask"])


def test_what_arrives_damaged_is_refused_and_does_not_stay(server, tmp_path):
    server.damaged = {"gain_new.fits"}
    folder = tmp_path / "empty" / "references" / "jwst" / "nircam"
    for _ in range(2):
        with pytest.raises(
            ReferenceFileError, match=r"gain_new.fits; the server did not deliver it.*size|sha1"
        ):
            best_references(EXPOSURE, ["gain"])
    assert [path.name for path in folder.iterdir()] == [".webbcal.lock"]
    server.damaged = set()
    assert Path(best_references(EXPOSURE, ["gain"])["gain"]).read_bytes() == b"gain_new.fits"


def test_one_fetches_and_the_others_wait(server, tmp_path):
    """Several processes want the same file, which takes longer than crds would wait for another process."""
    server.seconds = 6.0
    script = f"from webbcal.references.bestrefs import best_references as b; b({EXPOSURE}, ['gain'])"
    asking = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait() for process in asking] == [0, 0]
    assert server.asked.count("gain_new.fits") == 1


def test_a_server_that_does_not_answer(server, monkeypatch):
    monkeypatch.setenv("CRDS_SERVER_URL", "https://localhost:1")
    with pytest.raises(ReferenceFileError, match=r"CRDS failed.*CRDS_SERVER_URL=https://localhost:1"):
        best_references(EXPOSURE, ["gain"])


def test_a_cache_that_cannot_be_written(server, monkeypatch):
    monkeypatch.setenv("CRDS_PATH", "/proc/no/cache")
    with pytest.raises(ReferenceFileError, match="/proc/no/cache cannot be written"):
        best_references(EXPOSURE, ["gain"])


PEER_SCRIPT = """
import json, sys, crds
cases, types = json.loads(sys.argv[1])
out = []
for case in cases:
    found = crds.getreferences(case, reftypes=types, observatory="jwst")
    out.append({k: "N/A" if "N/A" in v.upper() else v for k, v in found.items()})
print(json.dumps(out))
"""


@pytest.mark.skipif(not os.environ.get("WEBBCAL_PEER_PYTHON"), reason="WEBBCAL_PEER_PYTHON is not set")
def test_same_as_crds_of_the_peer(make_cache):
    make_cache()
    types = ["gain", "flat", "ipc", "area", "pars-jumpstep"]
    changes = ({}, {"meta.observation.date": "2020-02-29"}, {"meta.exposure.type": "NRC_TSIMAGE"})
    cases = [EXPOSURE | {"meta.exposure.ngroups": 3, "meta.x": True} | c for c in changes]
    command = [os.environ["WEBBCAL_PEER_PYTHON"], "-c", PEER_SCRIPT, json.dumps([cases, types[:4]])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert [best_references(case, types[:4]) for case in cases] == json.loads(done.stdout.splitlines()[-1])
