"""Plants leaks, one in each kind of place, to verify that the proof finds them."""

from redis import Redis

from vestibule.cli.canary.proof import ProofTarget
from vestibule.cli.canary.values import Canary


def plant_leaks(target: ProofTarget, canaries: list[Canary]) -> None:
    """Write the first value into a log file, a report, a key of Redis and an output of `target`."""
    value = canaries[0].value
    if target.data_dir is not None:
        with (target.data_dir / "logs" / "app.log").open("a") as log:
            log.write(f'{{"event": "planted", "value": "{value}"}}\n')
        (target.data_dir / "error_reports").mkdir(exist_ok=True)
        (target.data_dir / "error_reports" / "planted.txt").write_text(f"Description: {value}\n")
    if target.redis_url is not None:
        with Redis.from_url(target.redis_url) as redis:
            redis.lpush("vestibule:planted", value)
    for output in target.outputs:
        with output.open("a") as sink:
            sink.write(f"{value}\n")
