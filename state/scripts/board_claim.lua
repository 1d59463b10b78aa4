-- Marked players, lent to the caller: others see them again after the lease.
-- KEYS: dirty. ARGV: how many at most, lease in ms.
-- Returns {when the lease ends, which no other lease does, the marks}.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local lease = string.format('%.3f', now + ARGV[2])
local marks = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, mark in ipairs(marks) do
  redis.call('ZADD', KEYS[1], lease, mark)
end
return {lease, marks}
