-- At most ARGV[1] calls in any ARGV[2] ms: counts one and answers 0, or counts nothing
-- and answers the ms until one is free. KEYS[1] lists the times of the calls let through.
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
while oldest and oldest <= now - window do
  redis.call('LPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
end
if redis.call('LLEN', KEYS[1]) >= limit then
  return oldest + window - now
end
redis.call('RPUSH', KEYS[1], now)
redis.call('PEXPIRE', KEYS[1], window)
return 0
