"""The demo: real partners in processes of their own, a stream of leads, a picture of the lanes."""
