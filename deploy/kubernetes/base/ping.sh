REDISCLI_AUTH=$(cat /run/secrets/vestibule/redis_password) redis-cli ping | grep -q PONG
