"""Calls signatures of a SavedModel through TensorFlow's C API, as a server without Python does.

Nothing of TensorFlow's Python is imported. It reads one JSON object from standard input: `model`,
a folder, and `requests`, each with `inputs` (tensor name → [dtype, nested list]) and `outputs`
(tensor names). It writes a JSON list to standard output: for each request a list of
[dtype, nested list], or the text of the error.
"""

import ctypes
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

FLOAT = 1  # the numbers of TF_DataType
INT32 = 3
DTYPES = {FLOAT: np.dtype(np.float32), INT32: np.dtype(np.int32)}
CODES = {str(dtype): code for code, dtype in DTYPES.items()}

FUNCTIONS_THAT_RETURN_POINTERS = (
    "TF_NewStatus",
    "TF_NewGraph",
    "TF_NewSessionOptions",
    "TF_LoadSessionFromSavedModel",
    "TF_GraphOperationByName",
    "TF_AllocateTensor",
    "TF_TensorData",
)


class Output(ctypes.Structure):
    """TF_Output: an operation and the index of its output."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def load_library():
    """Returns the library of the TensorFlow wheel, found without importing TensorFlow."""
    [folder] = importlib.util.find_spec("tensorflow").submodule_search_locations
    library = ctypes.CDLL(str(Path(folder) / "libtensorflow_cc.so.2"))
    for name in FUNCTIONS_THAT_RETURN_POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = ctypes.c_int64

    return library


LIBRARY = load_library()


def call(name, *arguments):
    """Calls a C function whose last argument is a TF_Status, and checks that."""
    status = ctypes.c_void_p(LIBRARY.TF_NewStatus())
    result = getattr(LIBRARY, name)(*arguments, status)
    if LIBRARY.TF_GetCode(status):
        raise RuntimeError(LIBRARY.TF_Message(status).decode())

    return ctypes.c_void_p(result)


def load_session(folder):
    """Returns the session and the graph of a SavedModel."""
    options = ctypes.c_void_p(LIBRARY.TF_NewSessionOptions())
    graph = ctypes.c_void_p(LIBRARY.TF_NewGraph())
    tags = (ctypes.c_char_p * 1)(b"serve")
    session = call(
        "TF_LoadSessionFromSavedModel", options, None, folder.encode(), tags, 1, graph, None
    )

    return session, graph


def find_outputs(graph, names):
    """Returns an array of TF_Output for tensor names, each operation:index."""
    outputs = (Output * len(names))()
    for position, name in enumerate(names):
        operation, index = name.split(":")
        found = LIBRARY.TF_GraphOperationByName(graph, operation.encode())
        outputs[position] = Output(found, int(index))

    return outputs


def to_tensor(dtype, values):
    """Returns a TF_Tensor."""
    array = np.array(values, dtype)
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    size = ctypes.c_size_t(array.nbytes)
    tensor = LIBRARY.TF_AllocateTensor(CODES[dtype], dims, array.ndim, size)
    ctypes.memmove(LIBRARY.TF_TensorData(ctypes.c_void_p(tensor)), array.tobytes(), array.nbytes)

    return tensor


def to_array(tensor):
    """Returns the values of a TF_Tensor."""
    tensor = ctypes.c_void_p(tensor)
    shape = [LIBRARY.TF_Dim(tensor, axis) for axis in range(LIBRARY.TF_NumDims(tensor))]
    dtype = DTYPES[LIBRARY.TF_TensorType(tensor)]
    size = int(np.prod(shape)) * dtype.itemsize
    data = ctypes.string_at(LIBRARY.TF_TensorData(tensor), size)

    return np.frombuffer(data, dtype).reshape(shape)


def run(session, graph, inputs, outputs):
    """Returns the arrays of one call of a session."""
    tensors = [to_tensor(dtype, values) for dtype, values in inputs.values()]
    results = (ctypes.c_void_p * len(outputs))()
    call(
        "TF_SessionRun",
        session,
        None,  # run options
        find_outputs(graph, list(inputs)),
        (ctypes.c_void_p * len(tensors))(*tensors),
        len(tensors),
        find_outputs(graph, outputs),
        results,
        len(outputs),
        None,  # target operations
        0,
        None,  # run metadata
    )

    return [to_array(result) for result in results]


def answer(session, graph, request):
    """Returns the outputs of a request as JSON takes them, or the text of its error."""
    try:
        arrays = run(session, graph, **request)
    except RuntimeError as error:
        return str(error)

    return [[str(array.dtype), array.tolist()] for array in arrays]


def main():
    """Answers the requests of standard input."""
    task = json.load(sys.stdin)
    session, graph = load_session(task["model"])
    answers = [answer(session, graph, request) for request in task["requests"]]
    assert "tensorflow" not in sys.modules
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
