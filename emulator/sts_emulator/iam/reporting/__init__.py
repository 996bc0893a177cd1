"""What is asked about an account: details, reports, and simulations."""
