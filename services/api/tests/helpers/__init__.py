"""What several tests of the api use."""
