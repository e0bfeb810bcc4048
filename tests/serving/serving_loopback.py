"""A stand-in for TensorFlow Serving's binary on the loopback device, for tests.

It answers PredictionService over gRPC, with the official messages, and the REST predict call. The
model is the loaded SavedModel. Requests that wait at the same time are run as one batch, as
TensorFlow Serving's `BatchingSession` does, and so share its errors.
"""

import concurrent.futures
import contextlib
import http.server
import json
import queue
import re
import threading
from typing import NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

REQUEST_ERRORS = (ValueError, tf.errors.InvalidArgumentError)


class Server(NamedTuple):
    """Where a server listens.

    Attributes:
        grpc_address: the address for gRPC.
        rest_url: the address for REST.
        batches: the number of requests of every batch so far, or None if that is not known.
    """

    grpc_address: str
    rest_url: str
    batches: list[int] | None


class Task(NamedTuple):
    """A request that waits for its batch."""

    inputs: dict
    future: concurrent.futures.Future


def split_rows(outputs, sizes):
    """Yields the rows of each request from the outputs of a batch."""
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in outputs.items()}
        start += size


class Batcher:
    """Runs requests to one signature that wait at the same time as one batch.

    Args:
        signature: a signature of a loaded SavedModel.
        batches: a list to which the number of requests of every batch is appended.
        timeout: seconds that the first request of a batch waits for others.
    """

    def __init__(self, signature, batches, timeout=0.05):
        self.signature = signature
        self.batches = batches
        self.timeout = timeout
        self.tasks = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def predict(self, inputs):
        """Returns the outputs of a request, NumPy by name, or raises the error of its batch."""
        task = Task(inputs, concurrent.futures.Future())
        self.tasks.put(task)

        return task.future.result(timeout=60)

    def _next_batch(self):
        """Waits for a request, and returns it with those that follow soon."""
        tasks = [self.tasks.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                tasks.append(self.tasks.get(timeout=self.timeout))

        return tasks

    def _run(self, tasks):
        """Calls the signature once for all requests, and gives each its rows."""
        inputs = {
            name: np.concatenate([task.inputs[name] for task in tasks]) for name in tasks[0].inputs
        }
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = {name: value.numpy() for name, value in self.signature(**tensors).items()}

        sizes = [len(task.inputs["seed"]) for task in tasks]
        for task, rows in zip(tasks, split_rows(outputs, sizes), strict=True):
            task.future.set_result(rows)

    def _work(self):
        """Runs batch after batch."""
        while True:
            tasks = self._next_batch()
            self.batches.append(len(tasks))
            try:
                self._run(tasks)
            except Exception as error:  # every request of the batch gets it
                for task in tasks:
                    task.future.set_exception(error)


class Model:
    """The signatures of a SavedModel behind batchers, by the names and types of TensorFlow Serving.

    Args:
        signatures: those of the loaded SavedModel.
        batches: a list to which the number of requests of every batch is appended.
    """

    def __init__(self, signatures, batches):
        self.batchers = {}
        self.specs = {}
        for name, signature in signatures.items():
            self.batchers[name] = Batcher(signature, batches)
            _, self.specs[name] = signature.structured_input_signature

    def predict(self, name, inputs):
        """Returns the outputs of a signature; inputs are NumPy arrays or lists by name."""
        if name not in self.specs:
            raise LookupError(f'Serving signature key "{name}" not found.')
        specs = self.specs[name]
        missing = sorted(specs.keys() - inputs.keys())
        extra = sorted(inputs.keys() - specs.keys())
        if missing or extra:
            raise ValueError(
                "input size does not match signature. "
                f"Sent extra: {extra}. Missing but required: {missing}."
            )
        arrays = {key: self._to_array(key, inputs[key], spec) for key, spec in specs.items()}

        return self.batchers[name].predict(arrays)

    def _to_array(self, key, value, spec):
        """Returns an input as an array of the type of its signature, or refuses it."""
        array = np.asarray(value)
        expected = spec.dtype.as_numpy_dtype
        is_other_array = isinstance(value, np.ndarray) and array.dtype != expected
        is_fraction = spec.dtype == tf.int32 and array.dtype.kind == "f"
        if is_other_array or is_fraction:
            raise ValueError(f"{key}: {array.dtype} is not of expected type: {spec.dtype.name}")

        return array.astype(expected)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict over gRPC.

    Args:
        model: a `Model`.
        name: the name under which it is served.
    """

    def __init__(self, model, name):
        self.model = model
        self.name = name

    def Predict(self, request, context):
        """Answers a PredictRequest with a PredictResponse, or with the status of its error."""
        name = request.model_spec.name
        if name != self.name:
            message = f"Servable not found for request: Latest({name})"
            context.abort(grpc.StatusCode.NOT_FOUND, message)
        signature = request.model_spec.signature_name or "serving_default"
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}

        try:
            outputs = self.model.predict(signature, inputs)
        except LookupError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except REQUEST_ERRORS as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

        response = predict_pb2.PredictResponse()
        response.model_spec.name = self.name
        response.model_spec.signature_name = signature
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))

        return response


def answer_json(model, body):
    """Returns the answer to the body of a REST predict call.

    A request in rows (`instances`) is answered in rows, one in columns (`inputs`) in columns.
    """
    name = body.get("signature_name", "serving_default")
    if "instances" not in body:
        outputs = model.predict(name, body["inputs"])
        return {"outputs": {key: value.tolist() for key, value in outputs.items()}}

    rows = body["instances"]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    outputs = model.predict(name, columns)
    predictions = [
        {key: value[row].tolist() for key, value in outputs.items()} for row in range(len(rows))
    ]

    return {"predictions": predictions}


def make_handler(model, name):
    """Returns the handler of HTTP requests to a model."""

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers predict calls."""

        def do_POST(self):
            """Answers one call with JSON: the outputs, or the error."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = 200, self._answer(body)
            except LookupError as error:
                status, answer = 404, {"error": str(error)}
            except REQUEST_ERRORS as error:
                status, answer = 400, {"error": str(error)}

            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, body):
            if not re.fullmatch(rf"/v1/models/{name}(/versions/1)?:predict", self.path):
                raise LookupError(f"Servable not found for request: {self.path}")

            return answer_json(model, body)

        def log_message(self, *_):
            """Logs nothing."""

    return Handler


@contextlib.contextmanager
def serve(signatures, name):
    """Serves a loaded SavedModel on free ports of the loopback device while the context lasts."""
    batches = []
    model = Model(signatures, batches)

    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(model, name), grpc_server
    )
    grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()

    rest_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(model, name))
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()

    rest_url = f"http://127.0.0.1:{rest_server.server_port}"
    try:
        yield Server(f"127.0.0.1:{grpc_port}", rest_url, batches)
    finally:
        grpc_server.stop(None).wait()
        rest_server.shutdown()
        rest_server.server_close()
