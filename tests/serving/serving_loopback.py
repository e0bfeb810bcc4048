"""TensorFlow Serving's wire contract on the loopback device: PredictionService over gRPC, and the REST predict call.

It stands for a server's binary in tests: the messages are those of the official stubs, the model is the loaded SavedModel, the requests that wait
at the same time are run as one batch, as `BatchingSession` does, and so share its errors.
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


class Server(NamedTuple):
    """Where a server listens, and the sizes of the batches that it ran, or None where it does not tell."""

    grpc_address: str
    rest_url: str
    batches: list | None


class Task(NamedTuple):
    """A request that waits for its batch."""

    inputs: dict
    future: concurrent.futures.Future


def split(outputs, sizes):
    """Yields the rows of each request out of a batch's outputs."""
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in outputs.items()}
        start += size


class Batcher:
    """Runs the requests to one signature that wait at the same time as one batch.

    Args:
        signature: a signature of a loaded SavedModel.
        batches: a list that the number of requests of every batch is added to.
        timeout: seconds that the first request of a batch waits for others.
    """

    def __init__(self, signature, batches, timeout=0.05):
        self.signature, self.batches, self.timeout, self.tasks = (
            signature,
            batches,
            timeout,
            queue.Queue(),
        )
        threading.Thread(target=self._work, daemon=True).start()

    def predict(self, inputs):
        """Returns the outputs of a request, NumPy by name, or raises the error of its batch."""
        task = Task(inputs, concurrent.futures.Future())
        self.tasks.put(task)
        return task.future.result(timeout=60)

    def _wait(self):
        tasks = [self.tasks.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                tasks.append(self.tasks.get(timeout=self.timeout))
        return tasks

    def _work(self):
        while True:
            tasks = self._wait()
            self.batches.append(len(tasks))
            try:
                inputs = {
                    name: np.concatenate([task.inputs[name] for task in tasks])
                    for name in tasks[0].inputs
                }
                outputs = self.signature(
                    **{name: tf.constant(value) for name, value in inputs.items()}
                )
                parts = split(
                    {name: value.numpy() for name, value in outputs.items()},
                    [len(task.inputs["seed"]) for task in tasks],
                )
                for task, part in zip(tasks, parts, strict=True):
                    task.future.set_result(part)
            except Exception as error:  # every request of the batch learns of it
                for task in tasks:
                    task.future.set_exception(error)


class Model:
    """The signatures of a SavedModel behind batchers, by the names and types of TensorFlow Serving.

    Args:
        signatures: of the loaded SavedModel.
        batches: a list that the number of requests of every batch is added to.
    """

    def __init__(self, signatures, batches):
        self.batchers = {
            name: Batcher(signature, batches) for name, signature in signatures.items()
        }
        self.specs = {
            name: signature.structured_input_signature[1] for name, signature in signatures.items()
        }

    def predict(self, name, inputs):
        """Returns the outputs of a signature; inputs are NumPy arrays or lists by name."""
        if name not in self.specs:
            raise LookupError(f'Serving signature key "{name}" not found.')
        missing, extra = (
            self.specs[name].keys() - inputs.keys(),
            inputs.keys() - self.specs[name].keys(),
        )
        if missing or extra:
            raise ValueError(
                f"input size does not match signature. Sent extra: {sorted(extra)}. Missing but required: {sorted(missing)}."
            )
        return self.batchers[name].predict(
            {key: self._array(key, inputs[key], spec) for key, spec in self.specs[name].items()}
        )

    def _array(self, key, value, spec):
        array = np.asarray(value)
        if (
            isinstance(value, np.ndarray)
            and array.dtype != spec.dtype.as_numpy_dtype
            or spec.dtype == tf.int32
            and array.dtype.kind == "f"
        ):
            raise ValueError(f"{key}: {array.dtype} is not of expected type: {spec.dtype.name}")
        return array.astype(spec.dtype.as_numpy_dtype)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict over gRPC.

    Args:
        model: a `Model`.
        name: the name that it is served under.
    """

    def __init__(self, model, name):
        self.model, self.name = model, name

    def Predict(self, request, context):
        """Answers a PredictRequest with a PredictResponse, or with the status that says why not."""
        if request.model_spec.name != self.name:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: Latest({request.model_spec.name})",
            )
        signature = request.model_spec.signature_name or "serving_default"
        try:
            outputs = self.model.predict(
                signature, {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            )
        except LookupError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = self.name, signature
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


def answer_json(model, body):
    """Returns the answer to the body of a REST predict call, in the format of the question: rows (`instances`) or columns (`inputs`)."""
    name = body.get("signature_name", "serving_default")
    if "instances" not in body:
        return {
            "outputs": {
                key: value.tolist() for key, value in model.predict(name, body["inputs"]).items()
            }
        }
    rows = body["instances"]
    outputs = model.predict(name, {key: [row[key] for row in rows] for key in rows[0]})
    return {
        "predictions": [
            {key: value[row].tolist() for key, value in outputs.items()} for row in range(len(rows))
        ]
    }


def make_handler(model, name):
    """Returns the handler of HTTP requests to a model."""

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers predict calls."""

        def do_POST(self):
            """Answers one call with JSON: the outputs, or the error."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                if not re.fullmatch(rf"/v1/models/{name}(/versions/1)?:predict", self.path):
                    raise LookupError(f"Servable not found for request: {self.path}")
                status, answer = 200, answer_json(model, body)
            except LookupError as error:
                status, answer = 404, {"error": str(error)}
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                status, answer = 400, {"error": str(error)}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            """Says nothing."""

    return Handler


@contextlib.contextmanager
def serve(signatures, name):
    """Serves a loaded SavedModel on free ports of the loopback device while the context lasts."""
    model = Model(signatures, batches := [])
    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(model, name), grpc_server
    )
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    rest_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(model, name))
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()
    grpc_server.start()
    try:
        yield Server(f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_server.server_port}", batches)
    finally:
        grpc_server.stop(None).wait()
        rest_server.shutdown()
        rest_server.server_close()
