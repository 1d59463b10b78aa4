-- A node lives. KEYS: nodes, node. ARGV: node id. Returns {now, seats that Redis knows}.
local now = now_ms()
redis.call('ZADD', KEYS[1], now, ARGV[1])
return {now, redis.call('HLEN', KEYS[2])}
