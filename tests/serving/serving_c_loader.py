"""Runs signatures of a SavedModel through TensorFlow's C API, as a server without Python does: nothing of TensorFlow's Python is imported.

It reads one JSON object from standard input: `model`, a folder, and `requests`, each with `inputs` (tensor name → [dtype, nested list]) and
`outputs` (tensor names). It writes a JSON list: for each request a list of [dtype, nested list], or the text of the error.
"""

import ctypes
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

FLOAT, INT32 = 1, 3  # TF_DataType
DTYPES = {FLOAT: np.dtype(np.float32), INT32: np.dtype(np.int32)}
CODES = {str(dtype): code for code, dtype in DTYPES.items()}
POINTERS = """TF_NewStatus TF_NewGraph TF_NewSessionOptions TF_LoadSessionFromSavedModel TF_GraphOperationByName TF_AllocateTensor
TF_TensorData""".split()


class Output(ctypes.Structure):
    """TF_Output: an operation and the number of its output."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def load_library():
    """Returns the library that the TensorFlow wheel carries, found without importing TensorFlow."""
    [folder] = importlib.util.find_spec("tensorflow").submodule_search_locations
    library = ctypes.CDLL(str(Path(folder) / "libtensorflow_cc.so.2"))
    for name in POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = ctypes.c_int64
    return library


LIBRARY = load_library()


def call(name, *arguments):
    """Calls a C function that reports its success in a TF_Status, its last argument."""
    status = ctypes.c_void_p(LIBRARY.TF_NewStatus())
    result = getattr(LIBRARY, name)(*arguments, status)
    if LIBRARY.TF_GetCode(status):
        raise RuntimeError(LIBRARY.TF_Message(status).decode())
    return ctypes.c_void_p(result)


def load_session(folder):
    """Returns the session and the graph of a SavedModel."""
    options, graph = (
        ctypes.c_void_p(LIBRARY.TF_NewSessionOptions()),
        ctypes.c_void_p(LIBRARY.TF_NewGraph()),
    )
    tags = (ctypes.c_char_p * 1)(b"serve")
    return call(
        "TF_LoadSessionFromSavedModel", options, None, folder.encode(), tags, 1, graph, None
    ), graph


def find_output(graph, name):
    """Returns the TF_Output of a tensor name, operation:index."""
    operation, index = name.split(":")
    return Output(LIBRARY.TF_GraphOperationByName(graph, operation.encode()), int(index))


def to_tensor(dtype, values):
    """Returns a TF_Tensor."""
    array = np.array(values, dtype)
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = LIBRARY.TF_AllocateTensor(
        CODES[dtype], dims, array.ndim, ctypes.c_size_t(array.nbytes)
    )
    ctypes.memmove(LIBRARY.TF_TensorData(ctypes.c_void_p(tensor)), array.tobytes(), array.nbytes)
    return tensor


def to_array(tensor):
    """Returns the values of a TF_Tensor."""
    tensor = ctypes.c_void_p(tensor)
    shape = [LIBRARY.TF_Dim(tensor, axis) for axis in range(LIBRARY.TF_NumDims(tensor))]
    dtype = DTYPES[LIBRARY.TF_TensorType(tensor)]
    data = ctypes.string_at(LIBRARY.TF_TensorData(tensor), int(np.prod(shape)) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape)


def run(session, graph, inputs, outputs):
    """Returns the arrays of one call of a session."""
    places = (Output * len(inputs))(*(find_output(graph, name) for name in inputs))
    values = (ctypes.c_void_p * len(inputs))(*(to_tensor(*value) for value in inputs.values()))
    wanted = (Output * len(outputs))(*(find_output(graph, name) for name in outputs))
    results = (ctypes.c_void_p * len(outputs))()
    call(
        "TF_SessionRun",
        session,
        None,
        places,
        values,
        len(inputs),
        wanted,
        results,
        len(outputs),
        None,
        0,
        None,
    )
    return [to_array(result) for result in results]


def answer(session, graph, request):
    """Returns what is written for a request."""
    try:
        return [[str(array.dtype), array.tolist()] for array in run(session, graph, **request)]
    except RuntimeError as error:
        return str(error)


if __name__ == "__main__":
    task = json.load(sys.stdin)
    model = load_session(task["model"])
    answers = [answer(*model, request) for request in task["requests"]]
    assert "tensorflow" not in sys.modules
    json.dump(answers, sys.stdout)
