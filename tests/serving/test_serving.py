"""The clients of examples/serving, over the wire.

They talk to a loopback server, and to TensorFlow Serving's own where it is installed.
"""

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
from serving_models import LENGTH, PROMPT, assert_same, export, mixed_inputs, plain_inputs
from tiny_models import CONTROLLED

import tfseqgan as sg

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving.apis")
from serving_loopback import Server, serve  # noqa: E402

pytestmark = pytest.mark.serving

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT / "examples" / "serving"
SUFFIXES = {".py", ".cc", ".yml", ".config", ""}
FILES = [path for path in SERVING.rglob("*") if path.is_file() and path.suffix in SUFFIXES]
NAME = "nottingham"


def load_client(name):
    """Returns a client of examples/serving as a module."""
    spec = importlib.util.spec_from_file_location(name, SERVING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    return module


rest_client = load_client("rest_client")
grpc_client = load_client("grpc_client")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns a tiny model under the name that the clients ask for."""
    return export(tmp_path_factory.mktemp("served") / NAME, num_candidates=3)


def free_port():
    """Returns a port on which nothing listened a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_available(url):
    """Returns whether a server has loaded the model."""
    try:
        with urllib.request.urlopen(f"{url}/v1/models/{NAME}") as answer:
            [status] = json.load(answer)["model_version_status"]
    except urllib.error.URLError:
        return False

    return status["state"] == "AVAILABLE"


@contextlib.contextmanager
def serve_by_tensorflow_serving(binary, folder):
    """Serves a model with TensorFlow Serving's own server while the context lasts."""
    grpc_port = free_port()
    rest_port = free_port()
    command = [
        binary,
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_name={NAME}",
        f"--model_base_path={folder.parent}",
        "--enable_batching=true",
        f"--batching_parameters_file={SERVING / 'batching.config'}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    url = f"http://127.0.0.1:{rest_port}"
    try:
        for _ in range(120):
            if is_available(url):
                break
            time.sleep(0.5)
        yield Server(f"127.0.0.1:{grpc_port}", url, None)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", params=["loopback", "tensorflow_model_server"])
def server(request, exported):
    """Yields a server of the tiny model."""
    if request.param == "loopback":
        context = serve(exported.signatures, NAME)
    else:
        binary = shutil.which("tensorflow_model_server")
        if binary is None:
            pytest.skip("tensorflow_model_server is not on the PATH")
        context = serve_by_tensorflow_serving(binary, exported.folder)

    with context as running:
        yield running


def to_lists(inputs):
    """Returns inputs as plain lists, as a client sends them."""
    return {name: np.asarray(value).tolist() for name, value in inputs.items()}


def ask_by_rest(server, inputs, signature="sample"):
    """Asks over REST, in columns."""
    outputs = rest_client.predict(server.rest_url, NAME, signature, to_lists(inputs))
    integers = ("tokens", "lengths")

    return {
        name: np.array(value, np.int32 if name in integers else np.float32)
        for name, value in outputs.items()
    }


def ask_by_grpc(server, inputs, signature="sample"):
    """Asks over gRPC."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        return grpc_client.predict(channel, NAME, signature, inputs)


by_both_protocols = pytest.mark.parametrize(
    "ask_server", [ask_by_rest, ask_by_grpc], ids=["REST", "gRPC"]
)


def run_client(folder, name, *flags):
    """Runs a client in a folder, as a user does, and returns the finished process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(SERVING / name), *map(str, flags)]

    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


# ---- over the wire


@pytest.mark.slow
@by_both_protocols
@pytest.mark.parametrize("signature", ["sample", "sample_best"])
def test_the_answer_over_the_wire_is_that_of_the_model(server, exported, ask_server, signature):
    inputs = mixed_inputs(7)
    expected = exported.ask(signature, inputs)

    answer = ask_server(server, inputs, signature)

    assert answer["tokens"].tolist() == expected["tokens"].tolist()
    assert answer["lengths"].tolist() == expected["lengths"].tolist()
    if server.batches is not None:  # the same process, so that the bits are the same too
        assert_same({name: answer[name] for name in expected}, expected)


@pytest.mark.slow
@by_both_protocols
def test_the_tokens_over_the_wire_are_those_of_generate(server, exported, ask_server):
    expected = exported.generator.generate(5, LENGTH, prompt=PROMPT, seed=3)

    answer = ask_server(server, plain_inputs(5, seed=3))

    assert answer["tokens"].tolist() == expected.tolist()


@pytest.mark.slow
def test_a_rest_request_in_rows_gives_what_one_in_columns_gives(server):
    columns = to_lists(mixed_inputs(4))
    rows = [{name: values[row] for name, values in columns.items()} for row in range(4)]
    url = f"{server.rest_url}/v1/models/{NAME}/versions/1:predict"

    with urllib.request.urlopen(url, json.dumps({"instances": rows}).encode()) as answer:
        predictions = json.load(answer)["predictions"]

    expected = ask_by_rest(server, columns, "serving_default")
    assert [row["tokens"] for row in predictions] == expected["tokens"].tolist()
    assert [row["lengths"] for row in predictions] == expected["lengths"].tolist()


@pytest.mark.slow
@by_both_protocols
@pytest.mark.parametrize(
    "culprit, values", [("temperature", [1.0, -1.0]), ("top_p", [1.0, 1.5]), ("top_k", [-1, 0])]
)
def test_the_error_of_a_bad_request_names_its_input_and_the_next_request_is_answered(
    server, ask_server, culprit, values
):
    inputs = to_lists(plain_inputs())

    with pytest.raises((RuntimeError, grpc.RpcError), match=rf"\b{culprit}: must") as caught:
        ask_server(server, inputs | {culprit: values})

    if isinstance(caught.value, grpc.RpcError):
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert ask_server(server, inputs)["tokens"].shape == (2, LENGTH)


@pytest.mark.slow
@by_both_protocols
def test_a_request_without_one_of_the_inputs_is_refused(server, ask_server):
    inputs = to_lists(plain_inputs())
    del inputs["top_p"]

    with pytest.raises((RuntimeError, grpc.RpcError), match="top_p"):
        ask_server(server, inputs)


@pytest.mark.slow
def test_a_request_to_a_model_that_is_not_served_is_refused(server):
    with pytest.raises(RuntimeError, match="not found"):
        rest_client.predict(server.rest_url, "another", "sample", to_lists(plain_inputs()))


@pytest.mark.slow
@by_both_protocols
def test_12_clients_at_once_get_what_each_gets_alone_bit_for_bit(server, ask_server):
    requests = [mixed_inputs(1 + number % 3, seed=number) for number in range(12)]
    alone = [ask_server(server, request) for request in requests]
    start = threading.Barrier(12)
    num_batches = len(server.batches or [])

    def ask_together(request):
        start.wait()
        return ask_server(server, request)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask_together, requests))

    for one, other in zip(alone, together, strict=True):
        assert_same({name: other[name] for name in one}, one)
    if server.batches is not None:
        batches = server.batches[num_batches:]
        assert sum(batches) == 12
        assert max(batches) > 1


@pytest.mark.slow
def test_a_bad_row_fails_its_whole_batch_as_the_document_says(exported):
    with serve(exported.signatures, NAME) as server:
        start = threading.Barrier(2)

        def ask_together(temperature):
            inputs = plain_inputs() | {"temperature": np.full(2, temperature)}
            start.wait()
            with contextlib.suppress(grpc.RpcError):
                return ask_by_grpc(server, inputs)

        for _ in range(20):  # until the two requests are in one batch
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                good, bad = pool.map(ask_together, [1.0, -1.0])
            assert bad is None
            if server.batches[-1] == 2:
                break

        assert server.batches[-1] == 2
        assert good is None

    document = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    assert "the whole batch" in document


# ---- the clients


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize(
    "name, flag", [("rest_client.py", "--url"), ("grpc_client.py", "--address")]
)
def test_a_client_writes_the_tunes_as_midi_files(tmp_path, server, exported, name, flag):
    result = run_client(
        tmp_path,
        name,
        *(flag, server.rest_url if flag == "--url" else server.grpc_address),
        *("--tokenizer", exported.folder / "assets" / "tokenizer.json"),
        *("--num", 3),
        *("--seed", 5),
        *("--out", "written"),
    )
    assert result.returncode == 0, result.stderr[-2000:]

    written = sorted((tmp_path / "written").glob("*.mid"))
    assert [path.name for path in written] == ["tune_1.mid", "tune_2.mid", "tune_3.mid"]
    tokens = exported.generator.generate(3, LENGTH, prompt=PROMPT, seed=5)
    for path, row in zip(written, tokens, strict=True):
        expected = exported.tokenizer.decode(row)
        tune = sg.read_midi(path)
        assert tune.melody == expected.melody
        assert tune.chords == expected.chords


@pytest.mark.slow
@pytest.mark.processes
def test_a_client_prints_what_the_server_refused(tmp_path, server, exported):
    result = run_client(
        tmp_path,
        "rest_client.py",
        *("--url", server.rest_url),
        *("--tokenizer", exported.folder / "assets" / "tokenizer.json"),
        *("--temperature", "-1"),
    )

    assert result.returncode == 1
    assert "The server refused the request" in result.stderr
    assert "temperature: must be a positive number" in result.stderr
    assert not (tmp_path / "tunes").exists()


@pytest.mark.parametrize("client", [rest_client, grpc_client], ids=["rest", "grpc"])
def test_a_client_asks_for_what_the_tunes_shall_be(tmp_path, monkeypatch, client):
    CONTROLLED.save(tmp_path / "tokenizer.json")
    asked = []

    def answer(*arguments):
        asked.append(arguments[-1])
        return {"tokens": np.array([[1, 2]] * 2), "lengths": np.array([2, 2])}

    monkeypatch.setattr(client, "predict", answer)
    flags = ["--num", 2, "--key", "D", "--bars", 16, "--guidance", 0.5, "--out", tmp_path]
    command = ["client", "--tokenizer", tmp_path / "tokenizer.json", *flags]
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    client.main()

    [inputs] = asked
    assert inputs == {
        "seed": [[0, 0], [0, 1]],
        "temperature": [1.0, 1.0],
        "top_k": [0, 0],
        "top_p": [1.0, 1.0],
        "controls": [[0, 3, 16, 0]] * 2,
        "guidance": [0.5, 0.5],
    }


@pytest.mark.processes
def test_the_rest_client_imports_no_tensorflow():
    code = (
        f"import sys; sys.path.insert(0, {str(SERVING)!r})\n"
        "import rest_client; print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.processes
def test_the_c_plus_plus_client_prints_the_tokens_that_generate_gives(tmp_path, exported):
    if not shutil.which("g++") or not shutil.which("make"):
        pytest.skip("there is no g++ or no make")
    program = tmp_path / "client"
    make = ["make", "-C", SERVING / "cpp", f"PYTHON={sys.executable}", f"OUT={program}"]
    subprocess.run(make, check=True, capture_output=True)

    command = [program, exported.folder, "4", "9"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    printed = [[int(token) for token in line.split()] for line in result.stdout.splitlines()]
    expected = exported.generator.generate(4, LENGTH, prompt=PROMPT, seed=9)
    assert printed == expected.tolist()

    warm = subprocess.run([*command, "1.5"], capture_output=True, text=True, check=True)
    expected = exported.generator.generate(4, LENGTH, prompt=PROMPT, seed=9, temperature=1.5)
    assert warm.stdout.split() == [str(token) for token in expected.ravel()]

    without_model = [program, tmp_path, "4", "9"]
    refused = subprocess.run(without_model, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "NOT_FOUND" in refused.stderr


# ---- the files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_fits_on_two_screens_of_50_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.parametrize("name", ["rest_client.py", "grpc_client.py"])
def test_the_docstring_of_a_client_says_how_to_run_it(name):
    tree = ast.parse((SERVING / name).read_text(encoding="utf-8"))

    assert f"python examples/serving/{name}" in ast.get_docstring(tree)


def test_the_rest_client_needs_only_the_standard_library_and_tfseqgan():
    tree = ast.parse((SERVING / "rest_client.py").read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)

    packages = {module.split(".")[0] for module in modules}
    assert packages <= set(sys.stdlib_module_names) | {"tfseqgan"}


def test_the_server_can_read_models_config():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (SERVING / "models.config").read_text(encoding="utf-8")

    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())

    models = config.model_config_list.config
    assert [(model.name, model.base_path) for model in models] == [(NAME, f"/models/{NAME}")]


def test_docker_compose_pins_the_image_mounts_what_it_names_and_is_not_reached_from_outside():
    text = (SERVING / "docker-compose.yml").read_text(encoding="utf-8")
    mounted = dict(re.findall(r"- (\.\S+):(/\S+):ro", text))
    ports = re.findall(r'"(\S+):(8500|8501)"', text)

    assert re.search(r"image: tensorflow/serving:\d+\.\d+\.\d+\n", text)
    assert all((SERVING / source).exists() for source in mounted)
    for config in re.findall(r"file=(\S+)", text):
        assert config in mounted.values()
    assert ports == [("127.0.0.1:8500", "8500"), ("127.0.0.1:8501", "8501")]
