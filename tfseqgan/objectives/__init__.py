"""What a generator is trained for: the paper's section 3.2. May import: models, ops.

returns    discounted reward to go
rewards    what the discriminator's logit is worth
credit     which action earned how much
baselines  what is subtracted
objective  the equation
recipes    reinforce, merl, kl_control, seqgan, …
"""
