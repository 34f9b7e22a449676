"""The services of the package's master.cf, for all who start a server: tests, benchmarks, the demonstration."""
import os

PACKAGED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'packaging', 'master.cf')


def inner_services():
    """its lines without comments and without the server for port 25, in whose place each has one of its own"""
    with open(PACKAGED) as f:
        lines = [line for line in f if not line.startswith('#')]
    return ''.join(line for line in lines if line.split()[:2] != ['smtp', 'inet'])
