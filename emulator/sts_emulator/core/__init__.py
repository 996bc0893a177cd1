"""The ground everything stands on: errors, names, keys, clock, store, worlds and events."""
