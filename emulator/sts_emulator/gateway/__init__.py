"""The door to other AWS look-alikes: a call that is not ours is authenticated, decided and passed on."""
