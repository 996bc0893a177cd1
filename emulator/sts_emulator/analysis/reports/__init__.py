"""What other tools read: SARIF, JUnit XML, JSON and GitHub's annotations."""
