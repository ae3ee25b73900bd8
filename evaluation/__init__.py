"""What happened: rollouts of policies, their statistics and their reports."""
