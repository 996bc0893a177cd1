"""Method 2, workloads inside AWS: the proof is where the program runs, and AWS itself vouches for it."""
