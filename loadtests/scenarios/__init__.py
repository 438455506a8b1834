"""What `make load` plays, one file a scenario: Locust files, run in a process of their own."""
