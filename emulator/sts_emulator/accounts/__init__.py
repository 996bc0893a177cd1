"""What is stored of accounts: resources and their policies, organizations, and people's passwords and devices."""
