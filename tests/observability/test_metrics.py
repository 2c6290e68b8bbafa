"""The metrics, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import Metrics, Readings


def read(metrics: Metrics, readings: Readings) -> dict[str, float]:
    """Read the exposition into `name{label="value"}` -> value, without process figures and creation times."""
    body, _ = metrics.render(readings)
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("smartrouting_") and not sample.name.endswith("_created")
    }


def test_everything_that_happens_is_counted() -> None:
    """Each method moves its own metric, and the readings of others stand beside them."""
    metrics = Metrics(version="1.2.3", deadline_ms=1500)
    metrics.record_decision(outcome="redirect", caller_status="identified", cause=None, seconds=0.004)
    metrics.record_decision(outcome="no_change", caller_status="unavailable", cause="timeout", seconds=1.6)
    metrics.observe_look_up("identified", 0.08)
    metrics.count_refusal("wrong-credential")
    metrics.count_deadline_miss()
    metrics.count_journal_failure()
    metrics.count_shed_call()
    metrics.count_divergence()
    readings = Readings(
        cache_requests={"fresh": 5, "miss": 2},
        coalesced_look_ups=3,
        breaker="open",
        journal_backlog=4,
        journal_writable=False,
        calls_waiting=6,
        event_loop_lag=0.25,
        key_use={"enreach": 1_800_000_000.0},
        secret_expiry={"webhook:old": 1_900_000_000.0},
        revision=7,
    )

    counted = {name: value for name, value in read(metrics, readings).items() if "_seconds_bucket" not in name}

    assert counted == {
        "smartrouting_build_info{version=1.2.3}": 1,
        "smartrouting_store_writable": 1,
        "smartrouting_decision_duration_seconds_count{outcome=redirect}": 1,
        "smartrouting_decision_duration_seconds_sum{outcome=redirect}": 0.004,
        "smartrouting_decision_duration_seconds_count{outcome=no_change}": 1,
        "smartrouting_decision_duration_seconds_sum{outcome=no_change}": 1.6,
        "smartrouting_crm_lookup_duration_seconds_count{result=identified}": 1,
        "smartrouting_crm_lookup_duration_seconds_sum{result=identified}": 0.08,
        "smartrouting_decisions_total{caller_status=identified}{cause=none}{outcome=redirect}": 1,
        "smartrouting_decisions_total{caller_status=unavailable}{cause=timeout}{outcome=no_change}": 1,
        "smartrouting_webhook_refusals_total{code=wrong-credential}": 1,
        "smartrouting_deadline_misses_total": 1,
        "smartrouting_journal_failures_total": 1,
        "smartrouting_shed_total": 1,
        "smartrouting_shadow_divergence_total": 1,
        "smartrouting_cache_requests_total{state=fresh}": 5,
        "smartrouting_cache_requests_total{state=miss}": 2,
        "smartrouting_lookups_coalesced_total": 3,
        "smartrouting_breaker_state": 2,
        "smartrouting_journal_backlog": 4,
        "smartrouting_journal_writable": 0,
        "smartrouting_calls_waiting": 6,
        "smartrouting_event_loop_lag_seconds": 0.25,
        "smartrouting_webhook_key_last_used_timestamp_seconds{label=enreach}": 1_800_000_000.0,
        "smartrouting_secret_expiry_timestamp_seconds{secret=webhook:old}": 1_900_000_000.0,
        "smartrouting_ruleset_info{revision=7}": 1,
    }


def test_a_bucket_ends_exactly_at_the_deadline() -> None:
    """The share of answers within the deadline can be read without interpolation."""
    metrics = Metrics(version="1", deadline_ms=1234)
    metrics.record_decision(outcome="redirect", caller_status="identified", cause=None, seconds=1.234)

    counted = read(metrics, Readings())

    assert counted["smartrouting_decision_duration_seconds_bucket{le=1.0}{outcome=redirect}"] == 0
    assert counted["smartrouting_decision_duration_seconds_bucket{le=1.234}{outcome=redirect}"] == 1


def test_two_applications_in_one_process_count_apart() -> None:
    """Each application has metrics of its own."""
    one, other = Metrics(version="1", deadline_ms=1500), Metrics(version="1", deadline_ms=1500)
    one.count_shed_call()

    assert read(one, Readings())["smartrouting_shed_total"] == 1
    assert read(other, Readings())["smartrouting_shed_total"] == 0


def test_before_a_ruleset_is_published_there_is_no_revision() -> None:
    """An absent revision is an absent metric, and the content type is Prometheus' own."""
    body, content_type = Metrics(version="1", deadline_ms=1500).render(Readings())

    assert b"smartrouting_ruleset_info" not in body
    assert content_type.startswith("text/plain")
