-- Duels whose time has come, lent to the caller: others see them again after the lease.
-- KEYS: deadlines. ARGV: how many at most, lease in ms.
local now = now_ms()
local due = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, id in ipairs(due) do
  redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], id)
end
return due
