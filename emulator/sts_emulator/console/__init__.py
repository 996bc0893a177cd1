"""What people and their tools look at: the control API and the pages."""
