"""What single services call their actions and resources, where the dataset does not tell: one overlay for each."""
