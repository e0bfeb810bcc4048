"""What a generator is trained for: the paper's section 3.2. May import: arguments, models, ops.

names      the names of rewards, credits, baselines and recipes, for configurations
returns    discounted reward to go
rewards    from the discriminator's logits to rewards
credit     which action earned how much of the reward
baselines  what is subtracted from the action values
objective  the equation; the Reward, Credit and Baseline protocols
recipes    reinforce, reinforce_with_baseline, merl, kl_control, seqgan
"""
