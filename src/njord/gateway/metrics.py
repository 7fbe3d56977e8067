"""Figures in Prometheus' text format (exposition format 0.0.4). A fixed set of names, no labels of people or orders."""

from typing import Any


def exposition(state: Any) -> str:
    """Return the figures of the market, of this gateway, and of the bus where there is one."""
    health, hub = state.market.health(), state.hub
    figures = [
        ("njord_market_time_seconds", "gauge", "The market's time.", "", health.time_ns / 1e9),
        ("njord_market_behind_seconds", "gauge", "How far the market lags its clock.", "", health.behind_ms / 1e3),
        ("njord_market_events_total", "counter", "Market events published.", "", health.events),
        ("njord_market_stale_instruments", "gauge", "Instruments silent for too long.", "", len(health.stale)),
        ("njord_accounts", "gauge", "Accounts that are open.", "", health.accounts),
        ("njord_accounts_stopped", "gauge", "Accounts whose session cannot go on.", "", health.accounts_stopped),
        ("njord_stream_clients", "gauge", "WebSocket clients.", "", hub.clients),
        ("njord_stream_dropped_total", "counter", "Frames of market data dropped for slow clients.", "", hub.dropped),
        ("njord_requests_total", "counter", "HTTP requests.", "", state.requests.count),
        ("njord_request_seconds_total", "counter", "Time spent on HTTP requests.", "", state.requests.seconds),
        ("njord_failed", "gauge", "1 where the market has stopped.", "", int(health.failure is not None)),
    ]  # fmt: skip
    figures += [
        ("njord_bus_behind_messages", "gauge", "Messages a group has not acknowledged yet.",
         f'{{stream="{stream}",group="{group}"}}', behind)
        for stream, group, behind in state.bus_backlog()
    ]  # fmt: skip
    figures += [
        ("njord_kept_answers_total", "counter", "Answers that were looked for in Redis first.",
         f'{{found="{found}"}}', count)
        for found, count in state.kept_answers()
    ]  # fmt: skip
    lines, said = [], ""
    for name, kind, help_text, labels, value in figures:
        if name != said:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
        said = name
        lines.append(f"{name}{labels} {value}")
    return "\n".join(lines) + "\n"
