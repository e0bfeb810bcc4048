"""Models in files and behind servers. May import: evaluation, files, models, music, ops.

pretrained     models and tokenizer in a folder
signatures     what a served model computes
export         SavedModel for TensorFlow Serving
saved_sampler  an exported sampler in Python
"""
