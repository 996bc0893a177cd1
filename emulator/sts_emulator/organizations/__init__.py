"""The AWS Organizations control plane: the tree, its accounts, and the policies attached along it."""
