"""Method 9, `aws login`: who is signed in to the console lets their tools have the same permissions."""
