"""Claims about examples/serving: the clients, over the wire, against a loopback server and, where there is one, TensorFlow Serving's own."""

import ast
import concurrent.futures
import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from serving_models import LENGTH, PROMPT, ask, assert_same, draws, export, own_draws, plain_request

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving.apis")
from serving_loopback import Server, serve  # noqa: E402

SERVING = Path(__file__).resolve().parents[2] / "examples" / "serving"
FILES = [
    path
    for path in SERVING.rglob("*")
    if path.is_file() and path.suffix in {".py", ".cc", ".yml", ".config", ""}
]
NAME = "nottingham"
BAD = {"temperature": [1.0, -1.0], "top_p": [1.0, 1.5], "top_k": [-1, 0]}


def load_client(name):
    """Returns a client of examples/serving as a module."""
    spec = importlib.util.spec_from_file_location(name, SERVING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rest_client, grpc_client = load_client("rest_client"), load_client("grpc_client")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A tiny model under the name that the clients ask for."""
    return export(tmp_path_factory.mktemp("served") / NAME, num_candidates=3)


def free_port():
    """Returns a port that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def serve_really(binary, folder):
    """Serves a model by TensorFlow Serving's own server while the context lasts."""
    grpc_port, rest_port = free_port(), free_port()
    flags = [
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_name={NAME}",
        f"--model_base_path={folder.parent}",
    ]
    batching = [
        "--enable_batching=true",
        f"--batching_parameters_file={SERVING / 'batching.config'}",
    ]
    process = subprocess.Popen(
        [binary, *flags, *batching], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{rest_port}"
    try:
        for _ in range(120):
            with (
                contextlib.suppress(urllib.error.URLError),
                urllib.request.urlopen(f"{url}/v1/models/{NAME}") as answer,
            ):
                if json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE":
                    break
            time.sleep(0.5)
        yield Server(f"127.0.0.1:{grpc_port}", url, None)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", params=["loopback", "tensorflow_model_server"])
def server(request, exported):
    """A server of the tiny model."""
    if request.param == "loopback":
        context = serve(exported.signatures(), NAME)
    else:
        binary = shutil.which("tensorflow_model_server")
        if binary is None:
            pytest.skip("tensorflow_model_server is not on the PATH")
        context = serve_really(binary, exported.folder)
    with context as running:
        yield running


def by_rest(server, inputs, signature="sample"):
    """Asks over REST, in columns."""
    outputs = rest_client.predict(
        server.rest_url,
        NAME,
        signature,
        {name: np.asarray(value).tolist() for name, value in inputs.items()},
    )
    return {
        name: np.array(value, np.int32 if name in ("tokens", "lengths") else np.float32)
        for name, value in outputs.items()
    }


def by_grpc(server, inputs, signature="sample"):
    """Asks over gRPC."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        return grpc_client.predict(channel, NAME, signature, inputs)


ROADS = pytest.mark.parametrize("road", [by_rest, by_grpc], ids=["REST", "gRPC"])


def run_client(folder, name, *flags):
    """Runs a client as a user does, in a folder, and returns how it ended."""
    environment = os.environ | {"PYTHONPATH": str(SERVING.parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(SERVING / name), *map(str, flags)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


# ---- over the wire


@ROADS
@pytest.mark.parametrize("signature", ["sample", "sample_best"])
def test_the_wire_brings_the_very_rows_of_the_model(server, exported, road, signature):
    inputs = own_draws(7)
    expected = ask(exported.signatures()[signature], inputs)
    answer = road(server, inputs, signature)
    if server.batches is not None:
        assert_same({name: answer[name] for name in expected}, expected)
    assert (
        answer["tokens"].tolist() == expected["tokens"].tolist()
        and answer["lengths"].tolist() == expected["lengths"].tolist()
    )


@ROADS
def test_the_wire_brings_the_tokens_that_generate_gives(server, exported, road):
    expected = exported.generator.generate(5, LENGTH, prompt=PROMPT, seed=3)
    assert road(server, draws(row_seeds(3, 5).numpy()))["tokens"].tolist() == expected.tolist()


def test_rows_and_columns_of_json_give_the_same(server):
    columns = {name: value.tolist() for name, value in own_draws(4).items()}
    body = {
        "instances": [{name: values[row] for name, values in columns.items()} for row in range(4)]
    }
    with urllib.request.urlopen(
        f"{server.rest_url}/v1/models/{NAME}/versions/1:predict", json.dumps(body).encode()
    ) as answer:
        rows = json.load(answer)["predictions"]
    expected = by_rest(server, columns, "serving_default")
    assert [row["tokens"] for row in rows] == expected["tokens"].tolist()
    assert [row["lengths"] for row in rows] == expected["lengths"].tolist()


@ROADS
@pytest.mark.parametrize("culprit", BAD)
def test_a_bad_request_is_refused_by_the_name_of_its_input_and_the_next_is_served(
    server, road, culprit
):
    inputs = {name: value.tolist() for name, value in plain_request().items()}
    with pytest.raises((RuntimeError, grpc.RpcError), match=rf"\b{culprit}: must") as caught:
        road(server, inputs | {culprit: BAD[culprit]})
    if isinstance(caught.value, grpc.RpcError):
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert road(server, inputs)["tokens"].shape == (2, LENGTH)


@ROADS
def test_a_missing_input_and_a_missing_model_are_errors(server, road):
    inputs = {name: value.tolist() for name, value in plain_request().items()}
    del inputs["top_p"]
    with pytest.raises((RuntimeError, grpc.RpcError), match="top_p"):
        road(server, inputs)
    with pytest.raises(RuntimeError, match="not found"):
        rest_client.predict(server.rest_url, "another", "sample", inputs)


@ROADS
def test_12_clients_at_once_get_the_rows_that_each_gets_alone_bit_for_bit(server, road):
    requests = [own_draws(1 + number % 3, seed=number) for number in range(12)]
    alone = [road(server, request) for request in requests]
    start, before = threading.Barrier(12), len(server.batches or [])

    def client(request):
        start.wait()
        return road(server, request)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(client, requests))
    for one, other in zip(alone, together, strict=True):
        assert_same({name: other[name] for name in one}, one)
    if server.batches is not None:
        assert sum(server.batches[before:]) == 12 and max(server.batches[before:]) > 1


def test_a_bad_row_fails_the_batch_that_it_came_in_as_the_document_says(exported):
    with serve(exported.signatures(), NAME) as server:
        start = threading.Barrier(2)

        def client(temperature):
            start.wait()
            with contextlib.suppress(grpc.RpcError):
                return by_grpc(server, plain_request() | {"temperature": np.full(2, temperature)})

        for _ in range(20):  # until the two meet in one batch
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                good, bad = pool.map(client, [1.0, -1.0])
            assert bad is None
            if server.batches[-1] == 2:
                break
        assert server.batches[-1] == 2 and good is None
    assert "the whole batch" in (SERVING.parents[1] / "docs" / "serving.md").read_text(
        encoding="utf-8"
    )


# ---- the clients


@pytest.mark.parametrize(
    "name, flag", [("rest_client.py", "--url"), ("grpc_client.py", "--address")]
)
def test_a_client_writes_the_tunes_as_midi_files(tmp_path, server, exported, name, flag):
    address = server.rest_url if flag == "--url" else server.grpc_address
    flags = [
        flag,
        address,
        "--tokenizer",
        exported.folder / "assets" / "tokenizer.json",
        "--num",
        3,
        "--seed",
        5,
        "--out",
        "written",
    ]
    result = run_client(tmp_path, name, *flags)
    assert result.returncode == 0, result.stderr[-2000:]
    tokens = exported.generator.generate(3, LENGTH, prompt=PROMPT, seed=5)
    written = sorted((tmp_path / "written").glob("*.mid"))
    assert [path.name for path in written] == ["tune_1.mid", "tune_2.mid", "tune_3.mid"]
    for path, row in zip(written, tokens):
        expected, found = exported.tokenizer.decode(row), sg.read_midi(path)
        assert (found.melody, found.chords) == (expected.melody, expected.chords)


def test_a_client_tells_what_the_server_refused(tmp_path, server, exported):
    flags = [
        "--url",
        server.rest_url,
        "--tokenizer",
        exported.folder / "assets" / "tokenizer.json",
        "--temperature",
        "-1",
    ]
    result = run_client(tmp_path, "rest_client.py", *flags)
    assert (
        result.returncode == 1
        and "The server refused the request" in result.stderr
        and "temperature: must be a positive number" in result.stderr
    )
    assert not (tmp_path / "tunes").exists()


def test_the_rest_client_imports_no_tensorflow():
    code = f"import sys; sys.path.insert(0, {str(SERVING)!r}); import rest_client; print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SERVING.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "False"


def test_the_c_plus_plus_client_prints_the_tokens_that_generate_gives(tmp_path, exported):
    if not shutil.which("g++") or not shutil.which("make"):
        pytest.skip("there is no g++ or no make")
    program = tmp_path / "client"
    subprocess.run(
        ["make", "-C", SERVING / "cpp", f"PYTHON={sys.executable}", f"OUT={program}"],
        check=True,
        capture_output=True,
    )
    result = subprocess.run(
        [program, exported.folder, "4", "9"], capture_output=True, text=True, check=True
    )
    printed = [[int(token) for token in line.split()] for line in result.stdout.splitlines()]
    assert printed == exported.generator.generate(4, LENGTH, prompt=PROMPT, seed=9).tolist()
    refused = subprocess.run(
        [program, tmp_path, "4", "9"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1 and "NOT_FOUND" in refused.stderr


# ---- the files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_fits_on_a_screen_or_two(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("name", ["rest_client.py", "grpc_client.py"])
def test_a_client_says_how_to_run_it(name):
    assert f"python examples/serving/{name}" in ast.get_docstring(
        ast.parse((SERVING / name).read_text(encoding="utf-8"))
    )


def test_the_rest_client_needs_the_standard_library_and_tfseqgan_alone():
    tree = ast.parse((SERVING / "rest_client.py").read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names) | {"tfseqgan"}


def test_models_config_is_one_that_the_server_reads():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        (SERVING / "models.config").read_text(encoding="utf-8"),
        model_server_config_pb2.ModelServerConfig(),
    )
    assert [(model.name, model.base_path) for model in config.model_config_list.config] == [
        (NAME, f"/models/{NAME}")
    ]


def test_docker_compose_pins_the_image_and_mounts_what_it_names():
    text = (SERVING / "docker-compose.yml").read_text(encoding="utf-8")
    assert re.search(r"image: tensorflow/serving:\d+\.\d+\.\d+\n", text)
    mounted = dict(re.findall(r"- (\.\S+):(/\S+):ro", text))
    assert all((SERVING / source).exists() for source in mounted)
    for config in re.findall(r"file=(\S+)", text):
        assert config in mounted.values()
    assert re.findall(r'"(\S+):(8500|8501)"', text) == [
        ("127.0.0.1:8500", "8500"),
        ("127.0.0.1:8501", "8501"),
    ]
