"""The command `tfseqgan`: one module a command, and what the commands share.

May import: datasets, evaluation, files, runs.

late_imports    TensorFlow, imported when a command needs it
interrupts      signals that ask the process to end
spelling        what a word that nobody knows may have meant
completion      a script by which the shell completes commands and flags
command_parser  the parser of one command, in the form that all of them have
printing        text to read, JSON for programs, or nothing
output_paths    what will be written is checked before anything is computed
error_messages  what an error means, and what to do about it
settings_flags  a flag for every field of `Settings`
config_file     settings from a JSON file
train           a whole run in a folder
sample          tunes of a trained generator
evaluate        Table 1's columns of a run, and what fresh judges say of its samples
compare         finished runs side by side
inspect         what becomes of the files of a folder
doctor          what is installed here, and how fast it is
export          a run's sampler for TensorFlow Serving
download        the Nottingham tunes as MIDI
main            the parser, and what every command has in common
"""
