"""What a worker measures of itself, as metrics and traces, and where it sends them.

It measures by OpenTelemetry's API. The SDK and exporters come with the extra ``telemetry``: ``exporting``
alone imports them, and is itself imported when a setting asks for it.
"""
