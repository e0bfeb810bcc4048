"""The algorithm. May import: evaluation, files, models, objectives, ops.

seeding        seeds by (purpose, round, step)
checks         what fails before training starts
callbacks      progress, CSV, TensorBoard
checkpointing  what a resumed run needs
loop           rounds, callbacks, resume
steps          compiled updates of each model
pretraining    pretrain
adversarial    fit_adversarial: one round on one screen
"""
