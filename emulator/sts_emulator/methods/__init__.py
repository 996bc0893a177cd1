"""The methods: each checks one kind of proof, and hands it to vending."""
