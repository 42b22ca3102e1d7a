from gateway.app import from_environment

app = from_environment()
