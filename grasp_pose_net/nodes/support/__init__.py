"""What nodes share: parameters, runtime, topics, clients."""
