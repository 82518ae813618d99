"""The only module that has an app: `segments worker`, or `faust -A streams.worker worker`. Nothing imports it."""

from streams.app import create_app
from streams.settings import Settings

app = create_app(Settings())
