"""The labs that come with the package, a folder each: texts, a scenario, and the functions that the texts name."""
